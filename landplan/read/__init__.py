"""
Any source to a canonical frame with issues.

``door`` looks at a path before a library does; ``vector`` (with ``shapefile``, ``encoding``, ``place`` and,
where a file is broken, ``records``) reads what is drawn, ``tables`` what is written; ``profile`` says what
the headers of a provider mean; ``source`` puts them together and ``inspect`` reports without judging.
"""

from __future__ import annotations

from landplan.read.inspect import Inspection, inspect_files, inspections_json
from landplan.read.raw import Raw
from landplan.read.source import Read, read_source, read_table

__all__ = ["Inspection", "Raw", "Read", "inspect_files", "inspections_json", "read_source", "read_table"]
