"""Bodies of broken geometry that others collected: JTS, OSM, and four hundred ways to get GeoJSON wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from sources import feature, geojson

from landplan.issues import codes
from landplan.read import read_source
from landplan.repair import repair_parcels

SETTLED = {"GEOM.INVALID", "GEOM.REPAIRED", "GEOM.NULL", "GEOM.EMPTY", "GEOM.TYPE", "GEOM.NONFINITE"}


def parcels(*shapes: object) -> gpd.GeoDataFrame:
    index = pd.Index([str(k) for k in range(len(shapes))], name="parcel_id")
    return gpd.GeoDataFrame(geometry=list(shapes), index=index, crs=4547)


# --- 914 cases of JTS -------------------------------------------------------------------------------------


def jts_cases(folder: Path) -> list[tuple[str, shapely.Geometry, bool]]:
    cases = []
    for path in sorted(folder.glob("*.xml")):
        for number, case in enumerate(ET.parse(path).getroot().iter("case"), 1):
            (op,) = [op for op in case.iter("op") if op.get("name") == "isValid"]
            text = case.findtext(op.get("arg1", "A").lower(), "").strip()
            with np.errstate(invalid="ignore"):
                is_hex = re.fullmatch(r"[0-9A-Fa-f]+", text)
                shape = shapely.from_wkb(text) if is_hex else shapely.from_wkt(text)
            cases.append((f"{path.name} {number}", shape, (op.text or "").strip() == "true"))
    return cases


def test_the_914_cases_of_jts_are_valid_or_not_as_jts_says(shared_data):
    cases = jts_cases(shared_data / "broken" / "jts")
    assert len(cases) == 914
    assert [name for name, shape, is_valid in cases if bool(shapely.is_valid(shape)) != is_valid] == []


def test_no_invalid_polygon_of_jts_is_measured_without_a_word_and_every_valid_one_is_left_alone(shared_data):
    cases = jts_cases(shared_data / "broken" / "jts")
    frame = parcels(*(shape for _, shape, _ in cases))
    repaired, issues = repair_parcels(frame)
    said = {int(issue.parcel_id): issue.code for issue in issues if issue.parcel_id and issue.code in SETTLED}
    for k, (name, shape, is_valid) in enumerate(cases):
        is_apart = bool(repaired["is_quarantined"].iloc[k])
        if is_valid and shape.geom_type in ("Polygon", "MultiPolygon") and not shape.is_empty:
            assert (k in said, is_apart) == (False, False), name
            assert shapely.equals_exact(repaired.geometry.iloc[k], shapely.force_2d(shape)), name
        else:
            assert k in said, name
            assert is_apart or repaired.geometry.iloc[k].is_valid, name


# --- 80 multipolygons of OSM ------------------------------------------------------------------------------


class OpenRingError(Exception):
    """Lines that bound no land."""


def assemble(data: Path, kind: str, number: int, *, by_place: bool = False) -> shapely.Geometry:
    """
    Land bounded by ways, by the rules of OSM: lines meet in common nodes only, none is drawn twice, all close.

    Two rings of one role may share an edge, because land or hole is then their union, and a ring may run to and
    fro over a bridge between its parts. With ``by_place`` nodes at one place are one node and what is drawn again counts once.
    """
    root = ET.parse(data).getroot()
    places = {n.get("id"): (float(n.get("lon", 0)), float(n.get("lat", 0))) for n in root.iter("node")}
    same = dict(places) if by_place else {ref: ref for ref in places}
    ways = {w.get("id"): [nd.get("ref") for nd in w.iter("nd")] for w in root.iter("way")}
    if kind == "way":
        members = [(str(number), "outer")]
    else:
        (relation,) = [r for r in root.iter("relation") if r.get("id") == str(number)]
        members = [(m.get("ref"), m.get("role")) for m in relation.iter("member") if m.get("type") == "way"]
    drawn: dict[frozenset[object], list[tuple[int, str]]] = {}
    for at, (ref, role) in enumerate(members):
        nodes = ways[ref]
        for a, b in pairwise(nodes):
            drawn.setdefault(frozenset((same[a], same[b])), []).append((at, role))
    drawn = {ends: by for ends, by in drawn.items() if len(ends) == 2}
    if not by_place:
        drawn = _without_doubles(drawn)
    if any(count % 2 for count in Counter(node for ends in drawn for node in ends).values()):
        raise OpenRingError("not closed")
    spot = {same[ref]: place for ref, place in places.items()}
    pairs = [tuple(ends) for ends in drawn]
    lines = shapely.linestrings([[spot[a], spot[b]] for a, b in pairs])
    left, right = shapely.STRtree(lines).query(lines, predicate="intersects")
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        if a < b:
            common = set(pairs[a]) & set(pairs[b])
            met = shapely.intersection(lines[a], lines[b])
            if met.geom_type != "Point" or not common or (met.x, met.y) != spot[next(iter(common))]:
                raise OpenRingError("lines cross or touch without a common node")
    faces = shapely.get_parts(shapely.polygonize(lines))
    inside = []
    for face in faces:
        x, y = shapely.get_coordinates(shapely.point_on_surface(face))[0]
        # Land lies where a ray to the north crosses an odd number of lines.
        crossed = sum(
            (p[0] > x) != (q[0] > x) and p[1] + (x - p[0]) * (q[1] - p[1]) / (q[0] - p[0]) > y
            for p, q in ((spot[a], spot[b]) for a, b in pairs)
        )
        if crossed % 2:
            inside.append(face)
    if not inside:
        raise OpenRingError("bounds nothing")
    return shapely.union_all(inside)


def _without_doubles(drawn: dict[frozenset[object], list[tuple[int, str]]]):
    """Cancel edges with the same land on both sides; any other edge drawn twice bounds nothing."""
    doubled = {ends for ends, by in drawn.items() if len(by) > 1}
    for ends in doubled:
        by = drawn[ends]
        if len(by) > 2 or by[0][1] != by[1][1]:
            raise OpenRingError("drawn twice")
    kept = {ends: by for ends, by in drawn.items() if ends not in doubled}
    standing = {node for ends in kept for node in ends}
    loose = Counter(node for ends in doubled for node in ends)
    if any(count == 1 and node not in standing for node, count in loose.items()):
        raise OpenRingError("a spike")
    if doubled and not standing & set(loose):
        raise OpenRingError("a ring drawn twice as a whole")
    return kept


def osm_cases(folder: Path):
    for path in sorted(folder.glob("7/*/test.json")):
        told = json.loads(path.read_text("utf-8"))
        for variant, areas in told["areas"].items():
            for area in areas:
                yield told["test_id"], variant, path.with_name("data.osm"), area


def test_the_multipolygons_of_osm_agree_with_their_geometry_or_are_invalid(shared_data):
    seen = Counter()
    for number, variant, data, area in osm_cases(shared_data / "broken" / "osm_grid"):
        if variant not in ("default", "location"):
            continue
        seen[variant] += 1
        try:
            shape = assemble(data, area["from_type"], area["from_id"], by_place=variant == "location")
        except OpenRingError:
            assert area["wkt"] == "INVALID", (number, variant)
            continue
        assert area["wkt"] != "INVALID", (number, variant)
        assert shapely.equals(shape, shapely.from_wkt(area["wkt"])), (number, variant)
        repaired, issues = repair_parcels(parcels(shape))
        assert ([issue.code for issue in issues], repaired["is_quarantined"].tolist()) == ([], [False]), (
            number
        )
    assert seen == {"default": 80, "location": 11}


def as_drawn(data: Path, kind: str, number: int) -> dict[str, object]:
    """What software without rules makes of a relation: ways chained where ends meet, shells less holes by role."""
    root = ET.parse(data).getroot()
    places = {n.get("id"): [float(n.get("lon", 0)), float(n.get("lat", 0))] for n in root.iter("node")}
    ways = {w.get("id"): [places[nd.get("ref")] for nd in w.iter("nd")] for w in root.iter("way")}
    if kind == "way":
        members = [(str(number), "outer")]
    else:
        (relation,) = [r for r in root.iter("relation") if r.get("id") == str(number)]
        members = [(m.get("ref"), m.get("role")) for m in relation.iter("member") if m.get("type") == "way"]
    rings: dict[str, list[object]] = {"outer": [], "inner": []}
    for role, found in rings.items():
        loose = [list(ways[ref]) for ref, said in members if said == role]
        while loose:
            ring = loose.pop(0)
            while ring[0] != ring[-1]:
                follower = next((w for w in loose if ring[-1] in (w[0], w[-1])), None)
                if follower is None:
                    break
                loose.remove(follower)
                ring += follower[1:] if follower[0] == ring[-1] else follower[-2::-1]
            found.append(ring)
    return {
        "type": "MultiPolygon",
        "coordinates": [[ring, *rings["inner"] * (not k)] for k, ring in enumerate(rings["outer"])],
    }


def test_an_invalid_multipolygon_of_osm_is_named_unless_it_is_one_piece_of_land_all_the_same(
    shared_data, tmp_path
):
    silent = set()
    for number, variant, data, area in osm_cases(shared_data / "broken" / "osm_grid"):
        if variant != "default" or area["wkt"] != "INVALID":
            continue
        drawing = as_drawn(data, area["from_type"], area["from_id"])
        raw = read_source(geojson(tmp_path / f"{number}.geojson", feature(drawing, id=str(number))))
        repaired, issues = repair_parcels(raw.frame)
        if not {issue.code for issue in [*raw.issues, *issues]} & {
            *SETTLED,
            "GEOM.UNCLOSED",
            "FILE.BAD_RECORD",
            "GEOM.DOUBLE_POINT",
        }:
            silent.add(number)
            assert shapely.is_valid(repaired.geometry.iloc[0])
    # Rings that touch between nodes (754, 771, 773) or in two nodes at one place (780 to 782) break a rule of OSM
    # and bound one piece of land on paper.
    assert silent == {754, 771, 773, 780, 781, 782}


# --- GeoJSON ----------------------------------------------------------------------------------------------


def geojson_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.geojson"))


@pytest.mark.parametrize(("name", "count"), [("chrieke", 74), ("geojsonhint", 62), ("turf", 18)])
def test_every_broken_geojson_gives_data_or_issues(shared_data, name, count):
    files = geojson_files(shared_data / "broken" / name)
    assert len(files) == count
    for path in files:
        raw = read_source(path)
        source = raw.source
        assert source.rows_in == source.rows_imported + source.rows_rejected, path.name
        assert len(raw.frame) == source.rows_imported, path.name
        assert source.rows_imported or raw.issues, path.name
        if source.rows_rejected:
            assert any(codes()[issue.code].severity == "error" for issue in raw.issues), path.name


# Defects by the letter of the format that change no land: the turn of rings, boxes written beside the coordinates,
# more digits or vertices than needed, a CRS said where none need be.
HARMLESS = {
    "invalid_exterior_not_ccw",
    "invalid_interior_not_cw",
    "invalid_feature_no_properties",
    "problematic_crosses_antimeridian",
    "problematic_excessive_coordinate_precision",
    "problematic_excessive_vertices",
    "problematic_holes",
    "problematic_multitype_geometry_with_just_one_geometry",
    "problematic_wrong_bbox_coordinate_order",
    "problematic_crs_defined",
    "problematic_geometry_not_wrapped",
    "bad-polygon-interiorring-rhr",
    "polygon_winding_order",
}


def test_a_defect_of_geojson_is_silent_only_where_it_changes_no_land(shared_data):
    broken = shared_data / "broken"
    bad = [p for p in geojson_files(broken / "chrieke") if p.parent.name != "valid"]
    bad += geojson_files(broken / "geojsonhint" / "bad")
    silent = set()
    for path in bad:
        raw = read_source(path)
        if not raw.issues and not repair_parcels(raw.frame)[1]:
            silent.add(path.stem)
    assert silent == HARMLESS


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("invalid_geometries/invalid_unclosed", "GEOM.UNCLOSED"),
        ("invalid_geometries/invalid_less_three_unique_nodes", "GEOM.INVALID"),
        ("invalid_geometries/invalid_incorrect_geometry_data_type", "FILE.BAD_RECORD"),
        ("invalid_structure/invalid_geometry_coordinates_string", "FILE.BAD_RECORD"),
        ("invalid_structure/invalid_featurecollection_feature_nullfeature", "FILE.BAD_RECORD"),
        ("invalid_structure/invalid_feature_wrong_geometry_key", "GEOM.NULL"),
        ("invalid_structure/invalid_featurecollection_no_features_member", "FILE.UNREADABLE"),
        ("problematic_geometries/problematic_duplicate_nodes", "GEOM.DOUBLE_POINT"),
        ("problematic_geometries/problematic_inner_and_exterior_ring_intersect", "GEOM.INVALID"),
        ("problematic_geometries/problematic_self_intersection_small", "GEOM.INVALID"),
        ("problematic_geometries/problematic_self_intersection_large", "GEOM.INVALID"),
        ("problematic_geometries/problematic_outside_lat_lon_boundaries", "CRS.UNITS"),
        ("problematic_geometries/problematic_zero_length_linestring", "GEOM.TYPE"),
        ("problematic_geometries/problematic_3d_coordinates", "GEOM.Z_DROPPED"),
    ],
)
def test_the_defect_a_file_is_named_after_is_the_one_that_is_said(shared_data, name, code):
    raw = read_source(shared_data / "broken" / "chrieke" / f"{name}.geojson")
    said = [issue.code for issue in raw.issues]
    assert code in (said + [issue.code for issue in repair_parcels(raw.frame)[1]] if len(raw.frame) else said)
