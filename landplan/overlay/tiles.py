"""A layer that stays in its file: features are fetched for parcels that lie together, so that none is too large for memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import pyproj
import shapely
from geopandas import GeoDataFrame

from landplan.crs import transform, transform_box

__all__ = ["FileLayer"]


@dataclass(frozen=True)
class FileLayer:
    """
    Features of a file, fetched box by box where they are asked for; it is a path and can travel to another machine.

    Parameters
    ----------
    path : Path
        GeoParquet with a covering of boxes (``write_covering_bbox``), or any format that GDAL finds places in by an index of
        its own: GeoPackage, FlatGeobuf, Shapefile with .qix.
    columns : tuple of str
        Columns to fetch with the geometry.
    layer : str
        Layer of the file; the first where empty.
    mend : callable or None
        What makes fetched features valid: repair never saw them. Those that cannot be mended it leaves out. By default all
        must be valid, and a fetch with one that is not fails.
    """

    path: Path
    columns: tuple[str, ...] = ()
    layer: str = ""
    mend: Callable[[GeoDataFrame], GeoDataFrame] | None = None

    def __call__(self, box: tuple[float, float, float, float], crs: pyproj.CRS) -> GeoDataFrame:
        """
        Fetch the features that touch a box.

        Parameters
        ----------
        box : tuple of float
            West, south, east, north.
        crs : CRS
            What the box is in.

        Returns
        -------
        GeoDataFrame
            In that CRS, each feature whole and valid.

        Raises
        ------
        CRSError
            If the file has no CRS, or rests on another datum.
        ValueError
            If a feature is invalid and there is nothing to mend it.
        """
        frame = self._read(transform_box(box, crs, self.crs()))
        drawn = frame[~(frame.geometry.isna() | frame.geometry.is_empty).to_numpy(dtype=bool)]
        if self.mend is not None:
            drawn = self.mend(drawn)
        elif not shapely.is_valid(drawn.geometry.values).all():
            raise ValueError(f"{self.path} has features that are not valid: repair the layer first")
        return transform(drawn, crs, at=str(self.path))

    def crs(self) -> pyproj.CRS:
        """
        Tell what the file is in.

        Returns
        -------
        CRS
            As the file says.

        Raises
        ------
        ValueError
            If it does not.
        """
        if self._is_parquet():
            system: Any = self._about()["columns"][self._geometry()].get("crs", "OGC:CRS84")
        else:
            import pyogrio

            system = pyogrio.read_info(self.path, layer=self.layer or None)["crs"]
        if not system:
            raise ValueError(f"{self.path} does not say what coordinates it is in")
        return pyproj.CRS.from_user_input(system)

    def _is_parquet(self) -> bool:
        return self.path.suffix.lower() in (".parquet", ".geoparquet")

    def _about(self) -> dict[str, Any]:
        import pyarrow.parquet as pq

        found: dict[str, Any] = json.loads((pq.read_schema(self.path).metadata or {}).get(b"geo", b"{}"))
        if not found:
            raise ValueError(f"{self.path} says nothing of geometry: it is no GeoParquet")
        return found

    def _geometry(self) -> str:
        return str(self._about()["primary_column"])

    def _read(self, box: tuple[float, float, float, float]) -> GeoDataFrame:
        if self._is_parquet():
            frame = geopandas.read_parquet(self.path, bbox=box, columns=[*self.columns, self._geometry()])
            return frame if frame.geometry.name == "geometry" else frame.rename_geometry("geometry")
        import pyogrio

        frame = pyogrio.read_dataframe(
            self.path, layer=self.layer or None, columns=list(self.columns), bbox=box, use_arrow=True
        )
        return GeoDataFrame(frame)
