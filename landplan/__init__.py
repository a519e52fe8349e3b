"""
landplan: measures industrial land, judges it by dated and cited rules, and says why (标准地).

Read downwards, floor 0 first; a module imports only from floors below::

    errors     the error tree: what, where, how to mend, in two languages
    units      units of measure, the only place a factor is written
    cores      how many threads compiled code may use
    ---------- the dictionary
    values     numbers and days as people write them
    periods    lengths of time, and the last day on which a fact is fresh
    schema     columns.csv at work: raw cells in, canonical columns inside, labels out
    issues     what is wrong with the data, one row each
    crs        measuring zones, areas, transformations that never guess
    tables     the tables of one assessment and what they rest on
    publish    files that are written whole or not at all
    ---------- the steps, strangers to each other
    read       any source -> canonical frame and issues
    repair     validity, slivers, doubles, neighbours, areas reconciled
    attach     zones by largest share, ledgers, indicators and events in force
    overlay    how much of each layer lies in each parcel
    terrain    height and slope from an elevation model
    rules      rulebooks: frame x rulebook x day -> findings; decisions of persons over them
    ledger     what landplan itself must remember: append-only, each entry bound to the one before
    ---------- judgement and lists
    verdict    findings and issues -> ready, pending, not ready; why()
    workdays   working days with the moved ones, due dates, clocks that stop
    resources  headroom at nodes, buildings for lease, money for preparation
    readiness  what a parcel still needs: whose move, days, cost, the first day it could be ready
    supply     state axes, lists that close, batches, reserve, balance, plan of a year
    registers  tables that are declared, not coded: read, filtered, exported
    versions   what a zone's new boundary takes in and leaves out
    ---------- the order of work
    project    landplan.toml: which files play which part
    inputs     everything one assessment judges, already read
    gather     the files a project names -> inputs
    steps      the parcel steps, and where they are run
    pipeline   assess(): the steps as a list, run in order
    ---------- doors out
    store      save and load an assessment: GeoPackage, or a folder of Parquet files
    reports    the Excel workbook, lists, forms
    maps       one offline page per view
    console    tables for the terminal
    returns    the sender's own material back, with its faults marked
    ----------
    batch      a folder of counties, one after the other, whatever happens to one
    engines    the same steps over partitions on a cluster
    demo, doctor, cli
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landplan.crs import measure_areas
    from landplan.errors import LandplanError
    from landplan.inputs import Inputs, Layer
    from landplan.issues import Issue
    from landplan.ledger import open_ledger
    from landplan.maps import draw_map
    from landplan.overlay import find_pieces, measure_overlaps
    from landplan.pipeline import assess
    from landplan.project import Project, load_project
    from landplan.read import inspect_files, read_source, read_table
    from landplan.repair import repair_parcels
    from landplan.reports import write_workbook
    from landplan.rules import evaluate_rules, lint_rulebook, load_rulebook, show_rules
    from landplan.schema import display
    from landplan.steps import Local
    from landplan.store import load_assessment, save_assessment
    from landplan.supply import balance_period, balance_supply, list_supply
    from landplan.tables import Assessment, issue_table
    from landplan.terrain import measure_terrain
    from landplan.verdict import why

_HOMES = {
    "LandplanError": "errors",
    "Issue": "issues",
    "issue_table": "tables",
    "display": "schema",
    "Assessment": "tables",
    "read_source": "read",
    "read_table": "read",
    "inspect_files": "read",
    "repair_parcels": "repair",
    "measure_areas": "crs",
    "find_pieces": "overlay",
    "measure_overlaps": "overlay",
    "measure_terrain": "terrain",
    "load_rulebook": "rules",
    "lint_rulebook": "rules",
    "show_rules": "rules",
    "evaluate_rules": "rules",
    "why": "verdict",
    "list_supply": "supply",
    "balance_supply": "supply",
    "balance_period": "supply",
    "open_ledger": "ledger",
    "Project": "project",
    "load_project": "project",
    "Inputs": "inputs",
    "Layer": "inputs",
    "Local": "steps",
    "assess": "pipeline",
    "save_assessment": "store",
    "load_assessment": "store",
    "write_workbook": "reports",
    "draw_map": "maps",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: `landplan --help` must not wait for GDAL."""
    if name not in _HOMES:
        raise AttributeError(f"module 'landplan' has no attribute {name!r}")
    return getattr(import_module(f"landplan.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
