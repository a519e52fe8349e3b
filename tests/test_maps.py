"""The pages of landplan.maps as text: who may see what, nothing that reaches out, the same bytes each time."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import html as markup
import json
import re
from html.parser import HTMLParser
from urllib.parse import quote, unquote

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from maps_world import HOSTILE, make_assessment
from pyproj import Transformer
from shapely import Polygon, box

from landplan.attach import zones_on
from landplan.errors import InternalError, StoreError, UsageError
from landplan.maps import MapPage, draw_map
from landplan.maps.layers import draw_grid, encode_shapes
from landplan.maps.views import cut_to_audience
from landplan.schema import column, dictionary
from landplan.tables import Assessment


def data_of(page: MapPage) -> dict:
    found = re.search(
        r'<script type="application/json" id="landplan-data">(.*?)</script>', page.html, flags=re.S
    )
    assert found is not None
    return json.loads(found.group(1))


def decoded(text: str) -> str:
    """The text with every disguise a value could travel in taken off, all of them one after another."""
    parts = [text, markup.unescape(text), unquote(text)]
    parts.append(re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m.group(1), 16)), text))
    for run in re.findall(r"[A-Za-z0-9+/]{8,}={0,2}", text):
        core = run.rstrip("=")
        core = core[:-1] if len(core) % 4 == 1 else core
        parts.append(base64.b64decode(core + "=" * (-len(core) % 4)).decode("utf-8", "ignore"))
    return "\n".join(parts)


def plant(assessment: Assessment) -> tuple[Assessment, list[str]]:
    """Fill every planner column, every parcel not on offer, the issues and the inputs with marks of their own."""
    marks: list[str] = []
    parcels = assessment.parcels.copy()
    on_offer = (parcels["supply_class"] == "stock").to_numpy()

    def mark(name: str) -> str:
        marks.append(f"KANARI{len(marks):03d}{re.sub('[^A-Za-z]', '', name)}")
        return marks[-1]

    numbers = iter(range(8_123_457, 9_000_000, 10_007))
    for name, declared in dictionary().items():
        if "parcels" not in declared.tables or declared.audience == "public":
            continue
        for full in {name.replace("*", "farmland"), name.replace("*", "clear_land")}:
            if column(full).name != full or (full.startswith("event_") and "farmland" in full):
                continue
            kind = column(full).kind
            if kind in ("text", "code"):
                parcels[full] = mark(full)
            elif kind == "day":
                year = 2100 + len(marks)
                parcels[full] = pd.Timestamp(year=year, month=1, day=17)
                marks.append(f"{year}-01-17")
            elif kind == "flag":
                continue
            else:
                value = next(numbers)
                parcels[full] = (
                    pd.array([value] * len(parcels), dtype="Int64") if kind == "integer" else float(value)
                )
                marks += [str(value), f"{value:,}"]
    for name in ("parcel_name", "location", "contact", "land_use"):
        text = mark("notoffered" + name)
        parcels[name] = parcels[name].where(on_offer, text)
    ids = [pid if offered else mark("id") for pid, offered in zip(parcels.index, on_offer, strict=True)]
    parcels.index = pd.Index(ids, name="parcel_id", dtype="str")
    parcels["undeclared_column"] = mark("undeclared")
    findings = assessment.findings.assign(reference=mark("finding"), measured=7_654_321.5)
    marks.append("7654321")
    issues = assessment.issues.assign(message_zh=mark("issue"), source=mark("path"), mend_zh=mark("mend"))
    provenance = dataclasses.replace(
        assessment.provenance,
        layers={name: mark("layer" + name) for name in assessment.provenance.layers},
        counts={"in": 987_001, "out": 987_002, "dropped": 987_003},
    )
    marks += ["98700", "PLANTED-BOOK-TEXT"]
    layers = {name: frame.assign(secret=mark("layercolumn")) for name, frame in assessment.layers.items()}
    overlaps = assessment.overlaps.assign(feature=mark("overlap"))
    zones = assessment.zones.assign(internal=mark("zone"))
    planted = dataclasses.replace(
        assessment,
        parcels=parcels,
        findings=findings,
        issues=issues,
        provenance=provenance,
        layers=layers,
        overlaps=overlaps,
        zones=zones,
    )
    return planted, marks


def test_law_8_an_investor_page_holds_no_planner_value_and_no_parcel_that_is_not_on_offer():
    planted, marks = plant(make_assessment())
    assert len(marks) > 40
    seen = decoded(draw_map(planted, "investor").html)
    assert [mark for mark in marks if mark in seen] == []


def test_the_planted_marks_are_found_by_the_same_search_in_the_planner_page():
    planted, marks = plant(make_assessment())
    seen = decoded(draw_map(planted, "planner").html)
    found = [mark for mark in marks if mark in seen]
    assert len(found) > 25, found


def test_the_search_for_marks_sees_through_base64_and_escapes():
    for hidden in (
        base64.b64encode(b"..KANARI000..").decode(),
        quote("KANARI000").replace("K", "%4B"),
        "\\u004bANARI000",
        "&#75;ANARI000",
    ):
        assert "KANARI000" in decoded(f'"{hidden}"')


def test_an_investor_sees_exactly_the_parcels_on_offer_without_reasons_or_layers():
    data = data_of(draw_map(make_assessment(), "investor"))
    assert [parcel["id"] for parcel in data["parcels"]] == ["A-1", "A-3"]
    assert all("r" not in parcel and "q" not in parcel for parcel in data["parcels"])
    assert data["layers"] == [] and data["overlaps"] is None and data["supply"] == []
    labels = {label for _, label in data["fields"]}
    assert "联系人" in labels and "起始价" in labels
    assert not labels & {"权利人", "底价", "备注", "来源文件", "列入理由"}


def test_without_a_supply_class_nothing_is_on_offer():
    assessment = make_assessment()
    bare = dataclasses.replace(assessment, parcels=assessment.parcels.drop(columns="supply_class"))
    assert data_of(draw_map(bare, "investor"))["parcels"] == []


def test_cutting_to_an_audience_leaves_the_frame_given_as_it_was():
    assessment = make_assessment()
    before = assessment.parcels.copy()
    cut_to_audience(assessment.parcels, "investor")
    draw_map(assessment, "planner")
    assert_geodataframe_equal(assessment.parcels, before)


def test_the_legend_counts_what_the_data_hold():
    assessment = make_assessment()
    data = data_of(draw_map(assessment))
    areas = assessment.parcels.groupby("verdict")["area_m2"].agg(["size", "sum"])
    for row in data["verdicts"]:
        assert row["count"] == areas["size"].get(row["key"], 0)
        assert row["mu"] == pytest.approx(areas["sum"].get(row["key"], 0.0) * 3 / 2000, abs=0.005)
    assert sum(row["count"] for row in data["supply"]) == data["total"]["count"] == 12
    assert {row["key"]: row["count"] for row in data["supply"]} == {
        "stock": 2, "stock_held": 2, "incremental": 1, "incremental_held": 2, "supplied": 2, "unknown": 3,
    }  # fmt: skip
    assert data["undrawn"] == 2


def test_a_parcel_of_ten_thousand_square_metres_is_shown_as_fifteen_mu():
    assessment = make_assessment(rows=[0])
    parcels = assessment.parcels.assign(area_m2=10_000.0)
    parcel = data_of(draw_map(dataclasses.replace(assessment, parcels=parcels)))["parcels"][0]
    assert (parcel["mu"], parcel["m2"]) == (15.0, 10_000.0)


def test_the_golden_reason_stands_in_the_planner_page_to_the_last_digit():
    data = data_of(draw_map(make_assessment()))
    reasons = next(parcel for parcel in data["parcels"] if parcel["id"] == "A-2")["r"]
    assert reasons[0][0] == "fail"
    assert "固定资产投资强度 149.93 万元/亩，要求不低于 150 万元/亩（差 0.07" in reasons[0][1]
    assert data["cited"][reasons[0][2]].endswith("，自 2022-12-25 起。")


def test_values_are_shown_in_the_unit_people_read():
    data = data_of(draw_map(make_assessment()))
    labels = [label for _, label in data["fields"]]
    parcel = data["parcels"][1]
    shown = {labels[number]: text for number, text in parcel["f"]}
    assert shown["固定资产投资强度"] == "149.93 万元/亩"
    assert shown["建筑系数"] == "40 %"
    assert shown["洪水影响评价覆盖率"] == "100 %"
    assert shown["永久基本农田压占面积"] == "0.00 亩"
    assert shown["净地"] == "完成"


def test_two_columns_with_one_label_are_both_shown():
    data = data_of(draw_map(make_assessment()))
    groups = [data["groups"][group] for group, label in data["fields"] if label == "容积率下限"]
    assert groups == ["控制指标", "企业承诺"]


def test_only_the_zone_boundary_in_force_is_drawn():
    data = data_of(draw_map(make_assessment()))
    assert [(zone["name"], zone["since"]) for zone in data["zones"]] == [("示例经济技术开发区", "2024-06-01")]


def test_a_boundary_ends_on_its_last_day_and_begins_on_its_first():
    zones = make_assessment().zones
    assert zones_on(zones, datetime.date(2024, 5, 31)).index.tolist() == [0]
    assert zones_on(zones, datetime.date(2024, 6, 1)).index.tolist() == [1]


def test_a_layer_parcels_should_lie_in_is_drawn_as_a_line_and_its_overlaps_are_no_fault():
    data = data_of(draw_map(make_assessment()))
    assert {layer["name"]: layer["within"] for layer in data["layers"]} == {
        "farmland": False,
        "redline": False,
        "urban": True,
    }
    assert data["overlaps"]["count"] == 1
    assert data["overlaps"]["mu"] == pytest.approx(90 * 160 * 3 / 2000)


def test_missing_and_quarantined_shapes_are_listed_but_not_drawn():
    parcels = {parcel["id"]: parcel for parcel in data_of(draw_map(make_assessment()))["parcels"]}
    assert parcels["E-1"]["g"] is None and parcels["E-2"]["g"] is None
    assert parcels["E-1"]["mu"] is None
    assert any("没有图形" in text for text in parcels["E-1"]["q"])


def test_a_shape_with_a_vertex_that_is_no_number_is_left_out_and_the_rest_is_drawn():
    frame = make_assessment(rows=[0, 1]).parcels
    square = np.array([(0.0, 0.0), (1.0, np.nan), (1.0, 1.0), (0.0, 0.0)])
    with np.errstate(invalid="ignore"):
        ring = shapely.polygons(square)
    broken = frame.set_geometry([ring, frame.geometry.iloc[1]], crs=frame.crs)
    assert [shape is None for shape in encode_shapes(broken)] == [True, False]


def test_rings_come_back_to_within_a_tenth_of_a_metre():
    frame = make_assessment(rows=[2]).parcels
    rings = encode_shapes(frame)[0][0]
    assert len(rings) == 2
    back = [np.array(ring).reshape(-1, 2).cumsum(axis=0) / 1e6 for ring in rings]
    plane = Transformer.from_crs(4490, 4547, always_xy=True)
    drawn = Polygon(
        *[np.column_stack(plane.transform(*ring.T)) for ring in back[:1]],
        [np.column_stack(plane.transform(*back[1].T))],
    )
    assert shapely.hausdorff_distance(drawn, frame.geometry.iloc[0]) < 0.1


def interpolate(grid: dict, easting: float, northing: float) -> tuple[float, float]:
    """What the page does to find a place of the plane, in numpy."""
    a, b = (easting - grid["e0"]) / grid["de"], (northing - grid["n0"]) / grid["dn"]
    i, j = (int(np.clip(np.rint(t), 1, grid["size"] - 2)) for t in (a, b))
    wa, wb = (np.array([t * (t - 1) / 2, 1 - t * t, t * (t + 1) / 2]) for t in (a - i, b - j))
    nodes = [
        np.array(grid[name]).reshape(grid["size"], -1)[j - 1 : j + 2, i - 1 : i + 2]
        for name in ("lon", "lat")
    ]
    return float(wb @ nodes[0] @ wa), float(wb @ nodes[1] @ wa)


@pytest.mark.parametrize("width", [2_000, 60_000])
def test_the_kilometre_grid_agrees_with_proj(width):
    frame = geopandas.GeoDataFrame(
        geometry=[box(470_000, 4_170_000, 470_000 + width, 4_170_000 + width)], crs=4547
    )
    west, south, east, north = frame.to_crs(4490).total_bounds
    grid = draw_grid(frame, (west, south, east, north))
    assert grid is not None and "中央子午线 114°（EPSG:4547）" in grid["plane"]
    plane = Transformer.from_crs(4547, 4490, always_xy=True)
    for easting, northing in [(471_000, 4_171_000), (471_337.5, 4_170_123.4), (469_500, 4_171_999)]:
        lon, lat = interpolate(grid, easting, northing)
        true_lon, true_lat = plane.transform(easting, northing)
        assert abs(lon - true_lon) < 1e-6 and abs(lat - true_lat) < 1e-6


def test_coordinates_in_degrees_get_the_grid_of_the_zone_that_holds_most_parcels():
    places = [
        box(112.7, 37.6, 112.71, 37.61),
        box(112.8, 37.6, 112.81, 37.61),
        box(112.3, 37.3, 112.31, 37.31),
    ]
    frame = geopandas.GeoDataFrame(geometry=places, crs=4490)
    grid = draw_grid(frame, (112.3, 37.3, 112.81, 37.61))
    assert grid is not None and grid["plane"].endswith("（EPSG:4547）")


@pytest.mark.parametrize("view", ["planner", "investor"])
@pytest.mark.parametrize("hostile", [False, True])
def test_two_draws_are_equal_to_the_byte(view, hostile):
    first = draw_map(make_assessment(hostile=hostile), view).html
    assert first == draw_map(make_assessment(hostile=hostile), view).html
    assert not re.search(r"map_[0-9a-f]{32}", first)


class Elements(HTMLParser):
    """Counts elements, and attributes that would run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.running: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.running += [name for name, _ in attrs if name.startswith("on")]


@pytest.mark.parametrize("view", ["planner", "investor"])
def test_hostile_text_adds_no_element_no_handler_and_comes_back_whole(view):
    plain, hostile = Elements(), Elements()
    plain.feed(draw_map(make_assessment(), view).html)
    page = draw_map(make_assessment(hostile=True), view)
    hostile.feed(page.html)
    assert hostile.tags == plain.tags
    assert hostile.running == []
    names = [parcel["name"] for parcel in data_of(page)["parcels"]]
    assert any(HOSTILE[1] in name for name in names)
    assert "\u2028" not in page.html and "\u2029" not in page.html


def test_text_that_is_no_unicode_is_still_written(tmp_path):
    assessment = make_assessment(rows=[0])
    page = draw_map(assessment, title="坏\ud800字\x00")
    assert data_of(page)["title"] == "坏\ufffd字\x00"
    page.save(tmp_path / "a.html")


def test_the_policy_names_every_script_by_its_hash_and_forbids_the_rest():
    import hashlib

    page = draw_map(make_assessment(hostile=True)).html
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split("style-src")[0] and "unsafe-eval" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    assert len(scripts) == 4
    for script in scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy


def test_no_host_is_named_outside_the_data_but_in_leaflets_own_words():
    page = draw_map(make_assessment(), "investor").html
    hosts = set(re.findall(r"https?://([a-z0-9.-]+)", page))
    assert hosts <= {"leafletjs.com", "www.w3.org"}
    assert "jquery" not in page.lower() and "bootstrap" not in page.lower()


@pytest.mark.parametrize(
    "smuggled",
    [
        '<img src="https://tiles.example/1.png">',
        "<script src=//cdn.example/a.js></script>",
        '<link rel="stylesheet" href="a.css">',
        "<style>body{background:url(https://a.example/x.png)}</style>",
        "<style>@import 'https://a.example/x.css';</style>",
        '<p style="background:url(x.png)">',
        '<meta http-equiv="refresh" content="0;url=https://a.example">',
        '<iframe srcdoc="x"></iframe>',
        "<script>fetch('x')</script>",
        "<a href='https://a.example'>x</a>",
        '<svg><use xlink:href="a.svg#b"/></svg>',
    ],
)
def test_a_page_that_would_touch_the_network_refuses_to_be_saved(smuggled, tmp_path):
    page = MapPage(draw_map(make_assessment()).html.replace("</header>", "</header>" + smuggled))
    with pytest.raises(InternalError, match="页面会访问网络"):
        page.save(tmp_path / "map.html")
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_data_is_text_and_does_not_stop_the_page(tmp_path):
    assessment = make_assessment(rows=[0])
    parcels = assessment.parcels.assign(notes='<img src="https://a.example/x.png">')
    draw_map(dataclasses.replace(assessment, parcels=parcels)).save(tmp_path / "map.html")
    assert (tmp_path / "map.html").is_file()


def test_saving_replaces_the_file_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "图" / "规划版.html"
    page = draw_map(make_assessment())
    assert page.save(target) == target
    assert page.save(str(target)) == target
    assert target.read_text(encoding="utf-8") == page.html
    assert [file.name for file in target.parent.iterdir()] == ["规划版.html"]


def test_a_place_that_cannot_be_written_is_said_in_both_languages(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError) as caught:
        draw_map(make_assessment()).save(tmp_path / "file" / "map.html")
    assert caught.value.faults[0].zh and caught.value.faults[0].en


def test_an_unknown_view_is_refused_with_the_views_there_are():
    with pytest.raises(UsageError, match="planner, investor"):
        draw_map(make_assessment(), "public")


def test_a_notebook_gets_the_page_in_a_frame_of_its_own():
    page = draw_map(make_assessment())
    shown = page._repr_html_()
    source = re.search(r'srcdoc="([^"]*)"', shown).group(1)
    assert markup.unescape(source) == page.html
    assert 'sandbox="allow-scripts' in shown and "allow-same-origin" not in shown


@pytest.mark.parametrize(
    ("rows", "view", "words"),
    [
        ([1, 3], "investor", "没有可出让地块"),
        ([], "planner", "没有地块"),
        ([], "investor", "没有可出让地块"),
        ([10, 11], "planner", "地块均无图形"),
    ],
)
def test_an_empty_view_says_so(rows, view, words):
    data = data_of(draw_map(make_assessment(rows=rows), view))
    assert data["notice"][0] == words
    assert (data["grid"] is None) == (not rows)


def test_a_page_of_ten_thousand_parcels_stays_below_twelve_megabytes():
    one = make_assessment(rows=[0])
    side = 100
    cells = [
        box(470_000 + 60 * i, 4_173_000 + 60 * j, 470_050 + 60 * i, 4_173_050 + 60 * j)
        for i in range(side)
        for j in range(side)
    ]
    parcels = geopandas.GeoDataFrame(
        pd.concat([one.parcels.drop(columns="geometry")] * len(cells)).set_axis(
            [f"P{n:05d}" for n in range(len(cells))], axis=0
        ),
        geometry=cells,
        crs=4547,
    ).rename_axis("parcel_id")
    findings = one.findings.loc[one.findings.index.repeat(len(cells))].assign(
        parcel_id=list(parcels.index) * len(one.findings)
    )
    page = draw_map(dataclasses.replace(one, parcels=parcels, findings=findings))
    data = data_of(page)
    assert len(data["parcels"]) == 10_000
    assert data["parcels"][0]["passed"] == 2 and data["parcels"][0]["r"] == []
    assert len(page.html.encode("utf-8")) < 12e6
