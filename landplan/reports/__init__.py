"""
The judgement on paper: the Excel workbook (summary, lists, parcels, findings, issues, rulebooks as judged) and lists as CSV.

Text stays text whatever it begins with; the same assessment gives the same bytes.
"""

from landplan.reports.lists import list_as_csv
from landplan.reports.workbook import write_workbook

__all__ = ["list_as_csv", "write_workbook"]
