"""
Save and load assessments.

The GeoPackage is the archive of a judgement: what was measured, by which rules, from which files and for
which day. A folder of GeoParquet files holds the same for very many parcels. The name chooses: ``.gpkg`` is the one, a
folder, ``.parquet`` or no suffix the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from landplan.store import geopackage
from landplan.store.geopackage import compare_assessments

if TYPE_CHECKING:
    from landplan.tables import Assessment

__all__ = ["compare_assessments", "load_assessment", "save_assessment"]


def save_assessment(assessment: Assessment, path: Path) -> Path:
    """
    Save an assessment: as a GeoPackage that QGIS opens coloured, or as a folder of GeoParquet files.

    Parameters
    ----------
    assessment : Assessment
        What was judged; its map layers are not saved.
    path : Path
        Ends in ``.gpkg``, or is a folder (no suffix, or ``.parquet``).

    Returns
    -------
    Path
        The path.

    Raises
    ------
    StoreError
        If what stands there is not an assessment of landplan, a column cannot be stored, the place cannot be written, or
        what was written does not read back equal. What stood there stays.
    """
    path = Path(path)
    if _is_folder(path):
        from landplan.store.parquet import save_folder

        return save_folder(assessment, path)
    return geopackage.save_assessment(assessment, path)


def load_assessment(path: Path) -> Assessment:
    """
    Load an assessment saved by ``save_assessment``.

    Parameters
    ----------
    path : Path
        A GeoPackage or a folder of landplan.

    Returns
    -------
    Assessment
        Equal to the one saved, to the last digit; ``layers`` is empty.

    Raises
    ------
    StoreError
        If nothing is there, it is not landplan's, is of a newer format, or is damaged.
    """
    path = Path(path)
    if _is_folder(path):
        from landplan.store.parquet import load_folder

        return load_folder(path)
    return geopackage.load_assessment(path)


def _is_folder(path: Path) -> bool:
    """Whether a path is, or is to become, a folder; a GeoPackage that was renamed is told of as a file."""
    return path.is_dir() or (path.suffix.lower() in ("", ".parquet") and not path.is_file())
