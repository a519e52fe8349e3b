"""KML and KMZ: folders, mixed geometry, HTML, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from sources import found, row_of

from landplan.read import inspect_files, read_source
from landplan.read.vector import list_layers

X, Y = 112.5, 37.7


def coordinates(side: float = 0.001, *, x: float = X, height: str = "") -> str:
    corners = [(x, Y), (x + side, Y), (x + side, Y + side), (x, Y + side), (x, Y)]
    return " ".join(f"{a:.6f},{b:.6f}{height}" for a, b in corners)


def polygon(x: float = X, **options: str) -> str:
    ring = f"<LinearRing><coordinates>{coordinates(x=x, **options)}</coordinates></LinearRing>"
    return f"<Polygon><outerBoundaryIs>{ring}</outerBoundaryIs></Polygon>"


POINT = f"<Point><coordinates>{X},{Y}</coordinates></Point>"
LINE = f"<LineString><coordinates>{X},{Y} {X + 1},{Y}</coordinates></LineString>"


def mark(*parts: str, name: str = "") -> str:
    return f"<Placemark>{f'<name>{name}</name>' if name else ''}{''.join(parts)}</Placemark>"


def folder(name: str, *marks: str) -> str:
    return f"<Folder><name>{name}</name>{''.join(marks)}</Folder>"


def kml(
    tmp_path: Path, *parts: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>', encoding: str = "utf-8"
):
    path = tmp_path / "a.kml"
    text = f'{head}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{"".join(parts)}</Document></kml>'
    path.write_bytes(text.encode(encoding))
    return path


def test_a_polygon_comes_with_its_name_and_its_data(tmp_path):
    data = '<ExtendedData><Data name="编号"><value>007</value></Data></ExtendedData>'
    raw = read_source(kml(tmp_path, mark(data, polygon(), name="南区")))
    assert raw.frame[["Name", "编号"]].values.tolist() == [["南区", "007"]]
    assert raw.frame.crs.to_epsg() == 4326
    assert raw.source.crs_how == "format"
    assert found(raw) == []


def test_schema_data_comes_as_text(tmp_path):
    data = '<ExtendedData><SchemaData schemaUrl="#a"><SimpleData name="DKBH">12</SimpleData></SchemaData></ExtendedData>'
    assert read_source(kml(tmp_path, mark(data, polygon()))).frame["DKBH"].tolist() == ["12"]


def test_folders_with_chinese_names_are_layers_and_one_must_be_named(tmp_path):
    path = kml(
        tmp_path,
        folder("地块", mark(polygon())),
        folder("控规", mark(polygon(X + 1))),
        folder("注记", mark(POINT)),
    )
    assert list_layers(path) == ["地块", "控规", "注记"]
    raw = read_source(path)
    assert [(i.code, i.value) for i in raw.issues] == [("FILE.AMBIGUOUS", "地块、控规")]
    assert read_source(path, layer="控规").frame.geometry[0].bounds[0] == pytest.approx(X + 1)
    assert found(read_source(path, layer="没有")) == ["FILE.NO_LAYER"]


def test_the_only_folder_with_polygons_is_taken_by_itself(tmp_path):
    raw = read_source(kml(tmp_path, folder("注记", mark(POINT)), folder("地块", mark(polygon()))))
    assert raw.layer == "地块"


def test_folders_of_one_name_are_told_apart(tmp_path):
    path = kml(tmp_path, folder("地块", mark(polygon())), folder("地块", mark(polygon(X + 1))))
    assert list_layers(path) == ["地块", "地块#2"]


def test_points_and_lines_beside_polygons_are_set_aside_by_name(tmp_path):
    raw = read_source(kml(tmp_path, mark(POINT, name="标注"), mark(polygon()), mark(LINE)))
    assert len(raw.frame) == 1
    assert raw.rows == [2]
    assert [(i.code, i.row, i.value) for i in raw.issues] == [
        ("GEOM.SET_ASIDE", 1, "Point 标注"),
        ("GEOM.SET_ASIDE", 3, "LineString"),
    ]
    assert (raw.source.rows_in, raw.source.rows_imported, raw.source.rows_rejected) == (3, 1, 2)


def test_of_a_mixed_feature_the_polygons_are_kept_and_the_rest_is_said(tmp_path):
    group = (
        f"<MultiGeometry>{POINT}{polygon()}<MultiGeometry>{polygon(X + 1)}</MultiGeometry></MultiGeometry>"
    )
    raw = read_source(kml(tmp_path, mark(group)))
    assert raw.frame.geometry[0].geom_type == "MultiPolygon"
    assert row_of(raw, "GEOM.PARTS_DROPPED") == 1


def test_a_feature_with_one_broken_part_is_rejected_whole(tmp_path):
    broken = polygon().replace(f"{X:.6f},{Y:.6f}", "x,y", 1)
    raw = read_source(
        kml(tmp_path, mark(f"<MultiGeometry>{polygon()}{broken}</MultiGeometry>"), mark(polygon()))
    )
    assert raw.rows == [2]
    assert row_of(raw, "FILE.BAD_RECORD") == 1


def test_a_line_that_returns_to_its_beginning_is_an_area_and_it_is_said(tmp_path):
    line = f"<LineString><coordinates>{coordinates()}</coordinates></LineString>"
    raw = read_source(kml(tmp_path, mark(line)))
    assert raw.frame.geometry[0].geom_type == "Polygon"
    assert found(raw) == ["GEOM.LINE_CLOSED"]


def test_an_open_ring_is_closed_and_it_is_said(tmp_path):
    first = f"{X:.6f},{Y:.6f}"
    opened = polygon().replace(f" {first}<", "<")
    assert found(read_source(kml(tmp_path, mark(opened)))) == ["GEOM.UNCLOSED"]


def test_heights_on_some_points_only_and_blanks_behind_commas_are_read(tmp_path):
    shape = polygon(height=",5").replace(f"{X:.6f},{Y:.6f},5", f"{X:.6f}, {Y:.6f}", 1)
    raw = read_source(kml(tmp_path, mark(shape)))
    assert len(raw.frame) == 1
    assert raw.frame.geometry[0].is_valid


def test_the_table_in_a_balloon_becomes_columns_and_the_rest_plain_text(tmp_path):
    html = (
        "<h3>地块信息</h3><script>alert(1)</script><table><tr><td>编号</td><td>A-01</td></tr>"
        "<tr><th>用途:</th><td><b>工业</b> 用地&nbsp;&lt;M1&gt;</td></tr></table><a href='javascript:x()'>详情</a>"
    )
    raw = read_source(kml(tmp_path, mark(f"<description><![CDATA[{html}]]></description>", polygon())))
    row = raw.frame.iloc[0]
    assert (row["编号"], row["用途"]) == ("A-01", "工业 用地 <M1>")
    assert row["description"] == "地块信息；详情"


def test_html_in_data_is_text_too(tmp_path):
    data = '<ExtendedData><Data name="note"><value><![CDATA[<img src=x onerror="a()">好<br/>地]]></value></Data></ExtendedData>'
    assert read_source(kml(tmp_path, mark(data, polygon()))).frame["note"].tolist() == ["好；地"]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_kml_cut_anywhere_is_refused(tmp_path, share):
    path = kml(tmp_path, *(mark(polygon()) for _ in range(20)))
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
    raw = read_source(path)
    assert found(raw) == ["FILE.TRUNCATED"]
    assert raw.frame.empty


def test_a_doctype_is_refused_wherever_it_hides(tmp_path):
    entity = '<!DOCTYPE kml [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    for filling in ("", "<!--" + "x" * 100_000 + "-->"):
        path = kml(tmp_path, mark(polygon(), name="&a;"), head=f'<?xml version="1.0"?>{filling}{entity}')
        raw = read_source(path)
        assert found(raw) == ["FILE.TYPE"]
        assert "DOCTYPE" in raw.issues[0].value


def test_xml_that_is_no_kml_is_refused(tmp_path):
    (tmp_path / "a.kml").write_text("<gml><Placemark/></gml>")
    assert found(read_source(tmp_path / "a.kml")) == ["FILE.TYPE"]


@pytest.mark.parametrize(
    ("declared", "encoding", "codes"),
    [("GBK", "gbk", []), ("UTF-8", "gbk", ["ENC.BAD"]), ("GB2312", "utf-8", ["ENC.BAD"])],
)
def test_chinese_is_read_whatever_the_declaration_says(tmp_path, declared, encoding, codes):
    head = f'<?xml version="1.0" encoding="{declared}"?>'
    raw = read_source(
        kml(
            tmp_path,
            folder("地块界线图层", mark(polygon(), name="开发区南区地块")),
            head=head,
            encoding=encoding,
        )
    )
    assert (raw.layer, raw.frame["Name"].tolist()) == ("地块界线图层", ["开发区南区地块"])
    assert found(raw) == codes


def test_one_damaged_byte_costs_one_character_and_not_all_the_text(tmp_path):
    path = kml(tmp_path, mark(polygon(), name="开发区"), mark(polygon(), name="南区X"))
    path.write_bytes(path.read_bytes().replace(b"X</name>", b"\xff</name>"))
    raw = read_source(path)
    assert raw.frame["Name"].tolist() == ["开发区", "南区\ufffd"]
    assert found(raw) == ["ENC.UNDECODABLE"]


def test_links_are_not_followed_but_said(tmp_path):
    link = "<NetworkLink><Link><href>https://example.invalid/b.kml</href></Link></NetworkLink>"
    raw = read_source(kml(tmp_path, link, mark(polygon())))
    assert [(i.code, i.value) for i in raw.issues] == [("FILE.NETWORK_LINK", "https://example.invalid/b.kml")]
    assert len(raw.frame) == 1


def test_plane_coordinates_in_a_kml_are_found_out(tmp_path):
    ring = "38500000,4170000 38500100,4170000 38500100,4170100 38500000,4170000"
    shape = f"<Polygon><outerBoundaryIs><LinearRing><coordinates>{ring}</coordinates></LinearRing></outerBoundaryIs></Polygon>"
    raw = read_source(kml(tmp_path, mark(shape)))
    assert raw.frame.crs.to_epsg() == 4526


def test_a_kmz_is_read_through_its_doc_kml(tmp_path):
    path = kml(tmp_path, folder("地块", mark(polygon(), name="南区")))
    with zipfile.ZipFile(tmp_path / "a.kmz", "w") as archive:
        archive.write(path, "doc.kml")
        archive.writestr("images/overlay.png", b"\x89PNG")
    raw = read_source(tmp_path / "a.kmz")
    assert raw.frame["Name"].tolist() == ["南区"]
    assert raw.layer == "地块"
    assert [(i.code, i.value) for i in raw.issues] == [("FILE.UNPACKED", "doc.kml")]
    assert raw.source.path == str(tmp_path / "a.kmz")
    assert inspect_files([tmp_path / "a.kmz"])[0].layers == ("地块",)


EXPECTED = {
    "tainan_monorail": (40, {"GEOM.TYPE", "GEOM.Z_DROPPED"}),
    "tainan_mrt_layers": (0, {"FILE.AMBIGUOUS"}),
    "togeojson_bad": (3, {"FILE.BAD_RECORD"}),
    "togeojson_cdata": (1, {"GEOM.TYPE", "GEOM.Z_DROPPED"}),
    "togeojson_extended_data": (1, {"GEOM.TYPE", "GEOM.Z_DROPPED"}),
    "togeojson_linear_ring": (1, {"GEOM.LINE_CLOSED", "GEOM.Z_DROPPED"}),
    "togeojson_multigeometry": (1, {"GEOM.TYPE", "GEOM.Z_DROPPED"}),
    "togeojson_multigeometry_sibling": (1, {"GEOM.TYPE"}),
    "togeojson_networklink": (0, {"FILE.NETWORK_LINK", "FILE.EMPTY"}),
    "togeojson_nogeomplacemark": (1, {"GEOM.NULL"}),
    "togeojson_noname": (1, {"GEOM.LINE_CLOSED"}),
    "togeojson_null_geometry": (1, {"GEOM.NULL"}),
    "togeojson_polygon": (1, {"GEOM.Z_DROPPED"}),
    "togeojson_schema": (1, set()),
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_kml_of_the_shared_data_gives_data_or_issues(shared_data, name):
    raw = read_source(shared_data / "kml" / f"{name}.kml")
    rows, codes = EXPECTED[name]
    assert raw.source.rows_in == rows
    assert set(found(raw)) == codes
    assert raw.source.rows_in == raw.source.rows_imported + raw.source.rows_rejected


def test_the_metro_of_tainan_has_ten_layers_and_each_can_be_read(shared_data):
    path = shared_data / "kml" / "tainan_mrt_layers.kml"
    layers = list_layers(path)
    assert len(layers) == 10
    counts = {layer: read_source(path, layer=layer).source.rows_in for layer in layers}
    assert counts["105年第一階段府城歷史街區範圍"] >= 1
    assert sum(counts.values()) == path.read_text(encoding="utf-8").count("<Placemark>")
