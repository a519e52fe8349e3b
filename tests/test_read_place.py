"""What a source is silent or wrong about: the encoding of its text and the place of its coordinates."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import shapely
from pyproj import CRS
from sources import NORTH, feature, found, geojson, parcels, ring, squares, write

from landplan.errors import CRSError, UsageError
from landplan.issues import codes
from landplan.read.encoding import decide_encoding
from landplan.read.place import decide_crs
from landplan.read.vector import read_vector

# --- encodings --------------------------------------------------------------------------------------------


def shapefile(path: Path, names: list[str], encoding: str, cpg: str | None, language: int = 0) -> Path:
    """A shapefile whose .dbf is in an encoding of our choice."""
    frame = parcels(len(names), DKBH=[str(k) for k in range(len(names))], DKMC=["x" * 16] * len(names))
    write(frame, path)
    dbf = path.with_suffix(".dbf")
    body = bytearray(dbf.read_bytes())
    start, length = struct.unpack("<HH", body[8:12])
    body[29] = language
    for k, name in enumerate(names):
        at = body.index(b"x" * 16, start + k * length)
        width = 0
        while body[at + width : at + width + 1] == b"x":
            width += 1
        body[at : at + width] = name.encode(encoding)[:width].ljust(width)
    dbf.write_bytes(bytes(body))
    path.with_suffix(".cpg").unlink()
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg)
    return path


@pytest.mark.parametrize(
    ("encoding", "cpg", "language", "decided", "how", "codes_found"),
    [
        ("gbk", None, 0, "gb18030", "content", ["ENC.GUESSED"]),
        ("gbk", "GBK", 0, "gb18030", "declared", []),
        ("gbk", None, 0x4D, "gb18030", "declared", []),
        ("gbk", "UTF-8", 0, "gb18030", "content", ["ENC.BAD"]),
        ("gbk", "ISO-8859-1", 0, "gb18030", "content", ["ENC.BAD"]),
        ("gbk", "nonsense", 0, "gb18030", "content", ["ENC.BAD"]),
        ("utf-8", None, 0, "utf-8", "content", ["ENC.GUESSED"]),
        ("utf-8", "UTF-8", 0, "utf-8", "declared", []),
        ("utf-8", "GBK", 0, "utf-8", "content", ["ENC.BAD"]),
    ],
)
def test_the_declared_encoding_is_held_against_the_bytes(
    tmp_path, encoding, cpg, language, decided, how, codes_found
):
    names = ["榆次地块", "寿阳", "灵石园区"]
    raw = read_vector(shapefile(tmp_path / "a.shp", names, encoding, cpg, language))
    assert raw.frame["DKMC"].tolist() == names
    assert (raw.source.encoding, raw.source.encoding_how) == (decided, how)
    assert found(raw) == codes_found


@pytest.mark.parametrize(
    ("cpg", "language", "how"), [("Big5", 0, "declared"), (None, 0x4F, "declared"), (None, 0, "content")]
)
def test_traditional_names_in_big5_are_told_from_gbk(tmp_path, cpg, language, how):
    names = ["臺中工業區", "新竹科學園", "歸仁工業區"]
    raw = read_vector(shapefile(tmp_path / "a.shp", names, "big5", cpg, language))
    assert raw.frame["DKMC"].tolist() == names
    assert raw.source.encoding_how == how


def test_an_option_overrides_what_the_file_says(tmp_path):
    path = shapefile(tmp_path / "a.shp", ["榆次", "寿阳"], "gbk", "UTF-8")
    raw = read_vector(path, encoding="gbk")
    assert raw.frame["DKMC"].tolist() == ["榆次", "寿阳"]
    assert (raw.source.encoding_how, found(raw)) == ("option", [])
    with pytest.raises(UsageError):
        read_vector(path, encoding="klingon")


def test_a_name_cut_inside_a_character_keeps_its_whole_characters(tmp_path):
    # Sixteen bytes hold five characters of UTF-8 and the first byte of a sixth.
    raw = read_vector(shapefile(tmp_path / "a.shp", ["开发区一二三四", "乙"], "utf-8", "UTF-8"))
    assert raw.frame["DKMC"].tolist() == ["开发区一二", "乙"]
    assert [(i.code, i.row, i.field) for i in raw.issues] == [("ENC.CUT", 1, "DKMC")]


def test_bytes_that_fit_nothing_are_named():
    decision = decide_encoding([b"\xff\xff\xff\xfe", "地块".encode("gbk")], source="a.shp")
    assert "ENC.UNDECODABLE" in [i.code for i in decision.issues]


def test_french_in_latin_1_is_not_taken_for_chinese():
    decision = decide_encoding(
        [t.encode("latin-1") for t in ("église", "forêt à côté", "été")], declared="ISO-8859-1"
    )
    assert (decision.encoding, decision.how, decision.issues) == ("latin-1", "declared", ())


def test_geojson_in_gbk_is_read_and_said(tmp_path):
    path = tmp_path / "a.geojson"
    content = {"type": "FeatureCollection", "features": [feature(ring(), name="榆次地块")]}
    path.write_bytes(json.dumps(content, ensure_ascii=False).encode("gbk"))
    raw = read_vector(path)
    assert raw.frame["name"].tolist() == ["榆次地块"]
    assert found(raw) == ["ENC.BAD"]


# --- where coordinates lie ----------------------------------------------------------------------------------


def placed(x: float, y: float, declared: object, **options: object):
    result = decide_crs([shapely.box(x, y, x + 0.001, y + 0.001)], declared, **options)
    return result.crs.to_epsg() if result.crs else None, result.how, [i.code for i in result.issues]


def test_a_source_without_crs_is_rejected_and_a_six_digit_easting_never_guessed(tmp_path):
    assert placed(500_000, NORTH, None) == (None, "", ["CRS.MISSING"])
    path = write(parcels(), tmp_path / "a.shp")
    path.with_suffix(".prj").unlink()
    raw = read_vector(path)
    assert (raw.source.rows_in, raw.source.rows_imported, raw.source.rows_rejected) == (3, 0, 3)
    assert raw.frame.empty
    assert read_vector(path, crs="EPSG:4547").source.crs_how == "option"


def test_a_prj_of_garbage_counts_as_none(tmp_path):
    path = write(parcels(), tmp_path / "a.shp")
    path.with_suffix(".prj").write_text("PROJCS[nothing")
    assert found(read_vector(path)) == ["CRS.MISSING"]


def test_the_zone_prefix_of_the_numbers_decides_where_nothing_is_declared():
    assert placed(38_500_000, NORTH, None) == (4526, "content", ["CRS.ZONE_FROM_PREFIX"])
    assert placed(37_600_000, NORTH, None) == (4525, "content", ["CRS.ZONE_FROM_PREFIX"])


def test_two_prefixes_in_one_file_are_not_guessed():
    both = [shapely.box(e, NORTH, e + 1, NORTH + 1) for e in (37_500_000, 38_500_000)]
    assert [i.code for i in decide_crs(both, None).issues] == ["CRS.MISSING"]


@pytest.mark.parametrize(
    ("x", "y", "declared", "code"),
    [
        (500_000, NORTH, 4526, "CRS.ZONE"),  # the prefix is missing
        (38_500_000, NORTH, 4547, "CRS.ZONE"),  # the prefix is too much
        (37_500_000, NORTH, 4526, "CRS.ZONE"),  # another zone
        (NORTH, 500_000, 4547, "CRS.AXIS_SWAP"),
        (NORTH, 38_500_000, 4526, "CRS.AXIS_SWAP"),
        (NORTH, 38_500_000, None, "CRS.AXIS_SWAP"),
        (37.7, 112.7, 4490, "CRS.AXIS_SWAP"),
        (112.7, 37.7, 4547, "CRS.UNITS"),  # degrees called metres
        (500_000, NORTH, 4490, "CRS.UNITS"),  # metres called degrees
        (500, 4170, 4547, "CRS.UNITS"),  # kilometres
        (112.7, 37.7, 3857, "CRS.UNITS"),
        (500_000, NORTH, 2383, "CRS.DATUM"),  # Xian 80
        (500_000, NORTH, 2435, "CRS.DATUM"),  # Beijing 54
        (38_500_000, NORTH, 2362, "CRS.DATUM"),
    ],
)
def test_numbers_that_contradict_the_declared_crs_reject_the_source(x, y, declared, code):
    epsg, _, codes_found = placed(x, y, declared)
    assert (epsg, codes_found) == (None, [code])
    assert codes()[code].severity == "error"


@pytest.mark.parametrize(
    ("x", "y", "declared"),
    [
        (500_000, NORTH, 4547),
        (38_500_000, NORTH, 4526),
        (250_000, NORTH, 4547),  # a city is drawn in one zone past its edge
        (112.7, 37.7, 4490),
        (112.7, 37.7, 4326),
        (250_000, 2_650_000, 3826),
        (12_545_000, 4_530_000, 3857),
        (202_600, 546_170, 5186),
    ],
)
def test_good_numbers_are_taken_at_their_word(x, y, declared):
    assert placed(x, y, declared) == (declared, "declared", [])


def test_an_option_is_obeyed_but_held_against_the_numbers():
    assert placed(500_000, NORTH, None, option="EPSG:4547") == (4547, "option", ["CRS.DECLARED"])
    assert placed(500_000, NORTH, None, option="EPSG:4526")[2] == ["CRS.DECLARED", "CRS.ZONE"]
    with pytest.raises(CRSError):
        placed(500_000, NORTH, None, option="EPSG:nonsense")


def test_a_profile_speaks_only_where_the_file_is_silent():
    assert placed(500_000, NORTH, 4547, option="EPSG:4549", how="profile") == (4547, "declared", [])
    silent = placed(500_000, NORTH, None, option="EPSG:4547", how="profile")
    assert silent == (4547, "profile", ["CRS.DECLARED"])


def test_one_parcel_of_another_zone_is_named_and_the_others_stay():
    shapes = [*squares(3, east=38_500_000), shapely.box(37_500_000, NORTH, 37_500_001, NORTH + 1)]
    result = decide_crs(shapes, 4526, rows=[1, 2, 3, 4])
    assert result.crs.to_epsg() == 4526
    assert [(i.code, i.row) for i in result.issues] == [("CRS.ZONE", 4)]


def test_a_prj_as_arcgis_writes_it_is_known_by_its_code(tmp_path):
    path = write(parcels(), tmp_path / "a.shp")
    path.with_suffix(".prj").write_text(CRS.from_epsg(4547).to_wkt("WKT1_ESRI"))
    assert read_vector(path).source.crs == "EPSG:4547"


def test_a_plane_with_a_meridian_of_its_own_is_kept_as_it_is():
    custom = (
        CRS.from_epsg(4547)
        .to_wkt()
        .replace('"Longitude of natural origin",114', '"Longitude of natural origin",112.5')
    )
    custom = custom.replace(',ID["EPSG",4547]', "").replace("114E", "112.5E")
    result = decide_crs(squares(1), custom)
    assert result.crs.to_epsg(min_confidence=100) is None
    assert result.crs.coordinate_operation.params[1].value == 112.5


def test_geojson_in_metres_without_crs_is_not_taken_for_degrees(tmp_path):
    metres = {"type": "Polygon", "coordinates": [list(map(list, squares(1)[0].exterior.coords))]}
    assert found(read_vector(geojson(tmp_path / "a.geojson", feature(metres)))) == ["CRS.UNITS"]
    zoned = {
        "type": "Polygon",
        "coordinates": [list(map(list, squares(1, east=38_500_000)[0].exterior.coords))],
    }
    raw = read_vector(geojson(tmp_path / "b.geojson", feature(zoned)))
    assert (raw.source.crs, raw.source.crs_how) == ("EPSG:4526", "content")


def test_geojson_in_degrees_is_wgs_84_by_its_format_or_by_its_word(tmp_path):
    silent = read_vector(geojson(tmp_path / "a.geojson", feature(ring())))
    assert (silent.source.crs, silent.source.crs_how) == ("EPSG:4326", "format")
    said = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}
    spoken = read_vector(geojson(tmp_path / "b.geojson", feature(ring()), crs=said))
    assert (spoken.source.crs, spoken.source.crs_how) == ("EPSG:4490", "declared")
