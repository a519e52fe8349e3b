"""
The judgement as an Excel workbook: summary, lists, parcels, findings, issues and the rulebooks as judged.

Text stays text whatever it begins with; the same assessment gives the same bytes.
"""

from landplan.reports.workbook import write_workbook

__all__ = ["write_workbook"]
