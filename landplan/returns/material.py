"""The sender's own material, marked: a folder with the whole list and a marked copy of every faulty file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from landplan.read.door import TABLES
from landplan.returns.drawing import draw_faults
from landplan.returns.listing import list_faults, write_faults
from landplan.returns.marking import mark_workbook
from landplan.returns.vetting import Material

__all__ = ["return_material"]

_LIST = "问题清单.xlsx"


def return_material(materials: Sequence[Material], folder: Path) -> list[Path]:
    """
    Write what goes back to the sender: the list of all faults, marked workbooks, faults drawn.

    Parameters
    ----------
    materials : sequence of Material
        As :func:`vet_files` gives.
    folder : Path
        Where to write; made where missing.

    Returns
    -------
    list of Path
        Files written, the list first. A file without faults has no copy; one that cannot be opened stands in
        the list only.

    Raises
    ------
    StoreError
        If the place cannot be written.

    Notes
    -----
    Originals are read and never written: no name of an input is ever used.
    """
    folder = Path(folder)
    taken = {Path(material.inspection.path).absolute() for material in materials}
    written = [write_faults(list_faults(materials), _free(folder, _LIST, taken))]
    for material in materials:
        inspection = material.inspection
        if not inspection.issues:
            continue
        stem = Path(inspection.path).stem
        if inspection.kind in TABLES:
            made = mark_workbook(material, _free(folder, f"{stem}_问题.xlsx", taken))
        else:
            made = draw_faults(material, _free(folder, f"{stem}_问题.gpkg", taken))
        if made is not None:
            taken.add(made.absolute())
            written.append(made)
    return written


def _free(folder: Path, name: str, taken: set[Path]) -> Path:
    """A name that is neither an input nor written in this run; one of an earlier run is replaced."""
    path, k = folder / name, 2
    while path.absolute() in taken:
        path, k = folder / f"{Path(name).stem}_{k}{Path(name).suffix}", k + 1
    return path
