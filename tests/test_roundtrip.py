"""What is written reads back equal: any set of polygons, as shapefile in GBK, GeoPackage and GeoJSON."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sources import feature, geojson, write

from landplan.read import read_source, read_table

CELL = 2_000.0  # a shape of a set stays in a cell of its own
PLANES = {4526: 38_500_000.0, 4547: 500_000.0, 4525: 37_500_000.0, 4490: 112.5, 4326: 112.5}


def number(low: int, high: int) -> st.SearchStrategy[float]:
    """Metres to the millimetre, as surveys give them."""
    return st.integers(low * 1000, high * 1000).map(lambda mm: mm / 1000)


@st.composite
def boxes(draw, x: float = 0.0, y: float = 0.0) -> shapely.Polygon:
    west, south = x + draw(number(0, 300)), y + draw(number(0, 300))
    width, height = draw(number(1, 500)), draw(number(1, 500))
    return shapely.box(west, south, west + width, south + height)


@st.composite
def holed(draw) -> shapely.Polygon:
    west, south, east, north = draw(boxes()).bounds
    rim = 0.25 * min(east - west, north - south)
    hole = shapely.box(west + rim, south + rim, east - rim, north - rim)
    return shapely.Polygon(
        shapely.get_coordinates(shapely.box(west, south, east, north)), [hole.exterior.coords]
    )


@st.composite
def hulls(draw) -> shapely.Polygon:
    points = draw(st.lists(st.tuples(number(0, 900), number(0, 900)), min_size=3, max_size=12, unique=True))
    hull = shapely.convex_hull(shapely.multipoints(points))
    return hull if hull.geom_type == "Polygon" else shapely.box(0, 0, 10, 10)


@st.composite
def several(draw) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([draw(boxes()), draw(boxes(x=900.0)), draw(boxes(y=900.0))])


TEXT = st.text("地块产业园晋中榆次寿阳甲乙丙丁（）·ABCxyz0123456789-_.;'\" ", min_size=1, max_size=12).map(
    str.strip
)


@st.composite
def sets(draw) -> gpd.GeoDataFrame:
    shapes = draw(st.lists(st.one_of(boxes(), holed(), hulls(), several()), min_size=1, max_size=6))
    crs = draw(st.sampled_from(sorted(PLANES)))
    by_degree = crs in (4490, 4326)
    placed = []
    for k, shape in enumerate(shapes):
        moved = np.array([CELL * k, 0.0])
        placed.append(
            shapely.transform(
                shape,
                lambda p, by=moved: (
                    (p + by) * 1e-5 + [112.5, 37.5] if by_degree else p + by + [PLANES[crs], 4_170_000]
                ),
            )
        )
    count = len(placed)
    names = draw(st.lists(TEXT, min_size=count, max_size=count))
    ids = draw(st.lists(st.integers(0, 10**7), min_size=count, max_size=count, unique=True))
    columns = {
        "DKBH": pd.Series([f"{k:08d}" for k in ids], dtype=object),
        "地块名称": pd.Series([name or None for name in names], dtype=object),
    }
    return gpd.GeoDataFrame(columns, geometry=placed, crs=crs)


def same_land(found: object, written: object) -> bool:
    """The same vertices to the last digit, wherever rings begin, whichever way they turn, parts in whichever order."""
    if shapely.get_num_coordinates(found) != shapely.get_num_coordinates(written):
        return False
    one, other = (
        shapely.normalize(shapely.multipolygons(shapely.get_parts(shape))) for shape in (found, written)
    )
    return bool(shapely.equals_exact(one, other))


def write_geojson(frame: gpd.GeoDataFrame, path):
    rows = [
        feature(json.loads(shapely.to_geojson(shape)), **properties)
        for shape, properties in zip(
            frame.geometry, frame.drop(columns="geometry").to_dict("records"), strict=True
        )
    ]
    name = f"urn:ogc:def:crs:EPSG::{frame.crs.to_epsg()}"
    return geojson(path, *rows, crs={"type": "name", "properties": {"name": name}})


WRITERS = {
    "a.shp": lambda frame, path: write(frame, path, encoding="GBK"),
    "a.gpkg": lambda frame, path: write(frame, path, geometry_type="Unknown"),
    "a.geojson": write_geojson,
}


@pytest.mark.parametrize("name", list(WRITERS))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(frame=sets())
def test_any_polygon_set_reads_back_as_written(tmp_path_factory, name, frame):
    path = WRITERS[name](frame, tmp_path_factory.mktemp("set") / name)
    raw = read_source(path)
    source = raw.source
    assert (source.rows_in, source.rows_imported, source.rows_rejected) == (len(frame), len(frame), 0)
    assert raw.rows == list(range(1, len(frame) + 1))
    assert raw.frame.crs.to_epsg() == frame.crs.to_epsg()
    assert {issue.code for issue in raw.issues} <= {"ENC.GUESSED"}
    assert raw.frame["DKBH"].tolist() == frame["DKBH"].tolist()
    names = [None if pd.isna(name) else name for name in raw.frame["地块名称"]]
    assert names == frame["地块名称"].tolist()
    for found, written in zip(raw.frame.geometry, frame.geometry, strict=True):
        assert same_land(found, written)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(frame=sets())
def test_the_three_formats_give_one_table_of_parcels(tmp_path_factory, frame):
    folder = tmp_path_factory.mktemp("set")
    tables = [read_table(writer(frame, folder / name), "parcels") for name, writer in WRITERS.items()]
    for table in tables:
        assert table.frame.index.tolist() == frame["DKBH"].tolist()
        assert (
            table.frame["parcel_name"].fillna("").tolist()
            == tables[0].frame["parcel_name"].fillna("").tolist()
        )
        if table.source.area_m2 is not None:
            assert table.source.area_m2 == pytest.approx(tables[0].source.area_m2, abs=1e-6)
