"""
Any source to a canonical frame with issues.

``door`` looks at a path before a library does, ``stage`` lays ready what GDAL may be given, ``workers`` are the processes
that open it; ``vector`` (with ``drawn``, ``shapefile``, ``encoding``, ``place`` and, where a file is broken, ``records``)
reads what is drawn, ``tables`` what is written; ``profile`` says what the headers of a provider mean; ``source`` puts
them together and ``inspect`` reports without judging.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landplan.read.inspect import Inspection, inspect_files, inspections_json
    from landplan.read.raw import Raw
    from landplan.read.source import Read, read_source, read_table

_HOMES = {
    "Inspection": "inspect",
    "Raw": "raw",
    "Read": "source",
    "inspect_files": "inspect",
    "inspections_json": "inspect",
    "read_source": "source",
    "read_table": "source",
}

__all__ = ["Inspection", "Raw", "Read", "inspect_files", "inspections_json", "read_source", "read_table"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: readers start before geopandas is loaded, and without it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'landplan.read' has no attribute {name!r}")
    return getattr(import_module(f"landplan.read.{_HOMES[name]}"), name)
