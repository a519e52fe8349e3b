"""The sample project: the same at every run, and as awkward as a real folder in the places it means to be."""

from __future__ import annotations

import tomllib
import zipfile
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from geopandas.testing import assert_geodataframe_equal
from python_calamine import CalamineWorkbook

from landplan.demo import write_sample
from landplan.demo.files import write_gbk_shapefile
from landplan.demo.shapes import cut_lots, random_stage, roughen
from landplan.pipeline import assess

COMMITTED = Path(__file__).parents[1] / "gis_data" / "sample"
DAY = "2026-11-20"


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample")).parent


@pytest.fixture(scope="module")
def parcels(sample) -> gpd.GeoDataFrame:
    return gpd.read_file(sample / "地块" / "地块.shp", encoding="GBK").set_index("地块编号")


@pytest.fixture(scope="module")
def ledger(sample) -> list[list]:
    book = CalamineWorkbook.from_path(sample / "台账" / "控制指标台账.xlsx")
    return book.get_sheet_by_name("控制指标").to_python(skip_empty_area=False)


@pytest.fixture(scope="module")
def events(sample) -> list[list]:
    book = CalamineWorkbook.from_path(sample / "台账" / "事项台账.xlsx")
    return book.get_sheet_by_name("事项").to_python(skip_empty_area=False)


def layer(sample: Path, name: str) -> gpd.GeoDataFrame:
    return gpd.read_file(sample / name).to_crs(4526)


def relative_files(folder: Path) -> list[Path]:
    results = folder / "结果"
    found = (path for path in folder.rglob("*") if path.is_file() and results not in path.parents)
    return sorted(path.relative_to(folder) for path in found)


def sound(parcels: gpd.GeoDataFrame) -> np.ndarray:
    """Return the valid, single shapes."""
    return parcels.geometry[parcels.is_valid].to_numpy()


# -- the same at every run


def test_two_runs_write_the_same_bytes(sample, tmp_path):
    again = write_sample(tmp_path / "again").parent
    assert relative_files(again) == relative_files(sample)
    differing = [p for p in relative_files(sample) if (sample / p).read_bytes() != (again / p).read_bytes()]
    assert differing == []


def test_writing_over_an_older_sample_changes_nothing_and_spares_other_files(sample, tmp_path):
    folder = write_sample(tmp_path).parent
    (folder / "我的笔记.txt").write_text("别删", encoding="utf-8")
    write_sample(folder)
    assert (folder / "我的笔记.txt").read_text(encoding="utf-8") == "别删"
    assert [p for p in relative_files(sample) if (sample / p).read_bytes() != (folder / p).read_bytes()] == []


def test_the_committed_sample_is_what_the_command_writes(sample):
    assert relative_files(COMMITTED) == relative_files(sample)
    for path in relative_files(sample):
        old, new = COMMITTED / path, sample / path
        if path.suffix == ".gpkg":  # another GDAL lays out another file with the same content
            assert_geodataframe_equal(gpd.read_file(old), gpd.read_file(new), check_less_precise=True)
        elif path.suffix == ".tif":
            with rasterio.open(old) as one, rasterio.open(new) as two:
                assert (one.profile, one.read().tolist()) == (two.profile, two.read().tolist())
        elif path.suffix == ".xlsx":  # another zlib packs the same sheets differently
            with zipfile.ZipFile(old) as one, zipfile.ZipFile(new) as two:
                assert [one.read(name) for name in one.namelist()] == [two.read(n) for n in two.namelist()]
        else:
            assert old.read_bytes() == new.read_bytes(), path


def test_the_sample_stays_under_four_megabytes(sample):
    assert sum((sample / path).stat().st_size for path in relative_files(sample)) < 4_000_000


def test_every_paper_says_that_it_is_a_sample(sample, ledger, events):
    project = tomllib.loads((sample / "landplan.toml").read_text(encoding="utf-8"))
    assert project["project"]["sample"] is True
    assert "不是真实地块" in (sample / "说明.txt").read_text(encoding="utf-8").splitlines()[0]
    assert "示例" in project["project"]["name"]
    assert "示例数据" in ledger[0][0]
    assert "示例数据" in events[0][0]


def test_every_file_the_project_names_is_there(sample):
    project = tomllib.loads((sample / "landplan.toml").read_text(encoding="utf-8"))
    named = [*project["parcels"]["paths"], project["zones"]["path"], project["evaluations"]["path"]]
    named += [project["events"]["path"], project["terrain"]["dem"], *(t["path"] for t in project["tables"])]
    named += [part[key] for part in project["layers"] for key in ("path", "extent")]
    assert [name for name in named if not (sample / name).is_file()] == []
    assert (sample / project["rules"]["folder"] / "example" / "kaifaqu.yaml").is_file()


# -- the shapes


def test_about_three_hundred_parcels_lie_on_both_sides_of_the_meridian(parcels):
    assert 280 <= len(parcels) <= 320
    assert parcels.index.is_unique
    west = shapely.get_x(shapely.centroid(parcels.to_crs(4490).geometry.to_numpy())) < 112.5
    assert west.sum() > 100
    assert (~west).sum() > 100
    # All are drawn in zone 38, prefix and all.
    assert parcels.crs.to_epsg() == 4526
    assert parcels.bounds["minx"].between(38_362_000, 38_372_000).all()


def test_the_awkward_shapes_are_all_there(parcels):
    shapes = parcels.geometry.to_numpy()
    assert (shapely.get_num_geometries(shapes) > 1).sum() == 6
    holes = np.array([shapely.get_num_interior_rings(shapely.get_parts(shape)).sum() for shape in shapes])
    assert ((holes > 0).sum(), holes.max()) == (7, 2)
    width = 2 * shapely.area(shapes) / shapely.length(shapes)
    assert (width[parcels.is_valid] < 1).sum() == 3
    assert (~parcels.is_valid).sum() == 1  # the bow-tie
    assert "Self-intersection" in shapely.is_valid_reason(shapes[~parcels.is_valid][0])


def test_one_pair_of_parcels_overlaps_by_some_tens_of_square_metres(parcels):
    shapes = sound(parcels)
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = first < second
    common = shapely.area(shapely.intersection(shapes[first[once]], shapes[second[once]]))
    assert (common > 1e-6).sum() == 1
    assert common.max() == pytest.approx(45, abs=1)


def test_neighbours_share_their_edges_to_the_vertex(parcels):
    shapes = sound(parcels)
    wide = shapes[2 * shapely.area(shapes) / shapely.length(shapes) > 2]
    first, second = shapely.STRtree(wide).query(wide, predicate="overlaps")
    tiling = np.delete(wide, np.unique(first))
    assert len(wide) - len(tiling) == 2
    assert shapely.coverage_is_valid(tiling)
    first, second = shapely.STRtree(tiling).query(tiling, predicate="touches")
    shared = shapely.length(shapely.intersection(tiling[first], tiling[second])) > 10
    assert shared.sum() / 2 > 200


def test_lots_are_not_squares(parcels):
    shapes = sound(parcels)
    filled = shapely.area(shapes) / shapely.area(shapely.minimum_rotated_rectangle(shapes))
    assert np.median(filled) < 0.95
    assert (filled < 0.75).sum() >= 8  # L and U shapes, wedges at the highway and the river


def test_coordinates_are_kept_to_the_millimetre(parcels):
    points = shapely.get_coordinates(parcels.geometry.to_numpy())
    assert np.abs(points - np.round(points, 3)).max() == 0


def test_the_golden_parcel_is_an_exact_lonely_square_of_fifteen_mu(parcels, ledger):
    square = parcels.geometry["A-2"]
    assert square.equals(shapely.box(38_367_990, 4_139_520, 38_368_090, 4_139_620))
    assert parcels.loc["A-2", "面积_亩"] == 15.0
    assert parcels.geometry.drop("A-2").distance(square).min() > 100
    row = next(row for row in ledger if row[1] == "A-2")
    assert row[4] == "C30"
    assert row[11] == 149.93
    assert "A-002" not in parcels.index


def test_registered_areas_are_those_of_each_parcels_own_zone(parcels):
    lonlat = shapely.get_x(shapely.centroid(parcels.to_crs(4490).geometry.to_numpy()))
    plane = np.where(lonlat < 112.5, parcels.to_crs(4525).area, parcels.area) / (2000 / 3)
    near = np.abs(plane - parcels["面积_亩"]) <= 0.00501
    # One in hectares, one from an old survey, and the bow-tie, whose drawn area is not what was meant.
    assert (~near).sum() == 3


# -- the files


def test_the_dbf_is_gbk_and_says_nothing_of_it(sample):
    folder = sample / "地块"
    assert sorted(path.suffix for path in folder.iterdir()) == [".dbf", ".prj", ".shp", ".shx"]
    content = (folder / "地块.dbf").read_bytes()
    assert content[29] == 0
    names = [content[start : start + 11].split(b"\0")[0] for start in range(32, 32 + 7 * 32, 32)]
    names = [name for name in names if name[:1] != b"\r"][:6]
    assert [name.decode("gbk") for name in names] == [
        "地块编号",
        "地块名称",
        "乡镇",
        "面积_亩",
        "用途",
        "用途代码",
    ]
    assert max(map(len, names)) <= 10
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")


def test_a_shapefile_written_twice_over_leaves_no_cpg(tmp_path):
    frame = gpd.GeoDataFrame({"编号": ["甲"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=4526)
    (tmp_path / "a.cpg").write_text("UTF-8")
    write_gbk_shapefile(frame, tmp_path / "a.shp")
    assert not (tmp_path / "a.cpg").exists()
    assert "甲".encode("gbk") in (tmp_path / "a.dbf").read_bytes()


def test_the_ledger_is_laid_out_as_offices_do(ledger, sample):
    assert ledger[2][1] == "地块信息"
    assert ledger[3][1:4] == ["地块编号", "地块名称", "面积（亩）"]
    assert ledger[4][11:15] == ["万元/亩", "万元/亩", "吨标煤/万元", "万元"]
    firsts = [str(row[0]) for row in ledger]
    assert firsts.count("合计") == 1
    assert sum(text.startswith("备注") for text in firsts) == 1
    body = ledger[5 : firsts.index("合计")]
    ratios = [row[6] for row in body]
    assert any(str(cell).startswith("≥") for cell in ratios)
    assert any("≤容积率≤" in str(cell) for cell in ratios)
    assert any("．" in str(cell) for cell in ratios)
    assert any(isinstance(cell, float) for cell in ratios)
    assert sum(str(row[3]).startswith("约") for row in body) == 4
    assert sum(cell in ("", "—", "待定") for row in body for cell in row[6:14]) >= 8
    with zipfile.ZipFile(sample / "台账" / "控制指标台账.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<mergeCell ") == 8  # title, 序号, four groups, 备注, 合计


def test_ledger_and_drawing_miss_each_other_by_two_and_three(ledger, parcels):
    listed = {row[1] for row in ledger[5:] if row[1]}
    assert listed - set(parcels.index) == {"K-901", "M-902"}
    assert len(set(parcels.index) - listed) == 3


def test_days_and_states_of_events_are_spelled_in_several_ways(events):
    body = events[2:]
    assert events[1] == ["地块编号", "事项", "日期", "状态", "有效期至", "责任方", "文号"]
    days = [row[2] for row in body]
    for mark in ("年", ".", "-", "/"):
        assert any(isinstance(day, str) and mark in day for day in days), mark
    assert any(not isinstance(day, str) for day in days)
    assert {"完成", "已完成", "办理中"} <= {row[3] for row in body}


def test_stages_are_spread_as_in_a_real_zone(events, parcels):
    done = {"完成", "已完成", "办结", "已批", "批复"}
    unconverted = {row[0] for row in events[2:] if row[1] == "农转用批复" and row[3] not in done}
    sold = {row[0] for row in events[2:] if row[1] == "出让" and row[3] in done}
    assert 50 <= len(unconverted) <= 70
    assert len(sold) == 25
    assert not unconverted & sold
    assert "A-2" not in unconverted | sold


# -- the ground


def test_the_first_zone_was_enlarged_and_some_parcels_straddle_or_lie_outside(sample, parcels):
    raw = gpd.read_file(sample / "边界" / "开发区范围.gpkg")
    assert raw.crs.to_epsg() == 4490
    assert raw["开发区代码"].tolist() == ["SL01", "SL01", "SL02"]
    old, new, park = raw.to_crs(4526).geometry
    assert new.area > old.area * 1.2
    assert old.difference(new).area < 1
    shapes = shapely.make_valid(parcels.geometry.to_numpy())
    one, two = (
        shapely.area(shapely.intersection(shapes, zone)) / shapely.area(shapes) for zone in (new, park)
    )
    assert 3 <= ((one > 0.001) & (two > 0.001)).sum() <= 10
    assert 3 <= (one + two < 0.001).sum() <= 15
    assert min((one > 0.5).sum(), (two > 0.5).sum()) > 80


def test_constraint_layers_are_ragged_and_mostly_clear_of_the_parcels(sample, parcels):
    farmland = layer(sample, "底图/YJJBNTTB.gpkg").geometry.to_numpy()
    assert shapely.get_num_coordinates(farmland).sum() > 5_000
    assert shapely.get_num_interior_rings(shapely.get_parts(farmland)).sum() >= 5
    shapes = shapely.make_valid(parcels.geometry.to_numpy())
    for name, most in (("YJJBNTTB.gpkg", 12), ("STBHHX.gpkg", 6)):
        shape = layer(sample, f"底图/{name}").union_all()
        hit = shapely.area(shapely.intersection(shapes, shape))
        assert 3 <= (hit > 100).sum() <= most
        assert ((hit > 0.001) & (hit < 100)).sum() == 0  # reached, or clear: none by a hair
    urban = layer(sample, "底图/CZKFBJ.geojson").union_all()
    beyond = shapely.area(shapely.difference(shapes, urban))
    assert (beyond > 1).sum() == 3
    assert ((beyond > 0.001) & (beyond < 1)).sum() == 0


def test_six_parcels_lie_beyond_the_survey_of_farmland(sample, parcels):
    surveyed = layer(sample, "底图/调查范围.geojson").geometry.iloc[0]
    assert (~shapely.within(shapely.make_valid(parcels.geometry.to_numpy()), surveyed)).sum() == 6


def test_seven_evaluations_of_which_one_lapsed_in_part_and_one_leaves_ground_out(sample, parcels):
    rows = layer(sample, "评估/区域评估.gpkg")
    assert gpd.read_file(sample / "评估" / "区域评估.gpkg").crs.to_epsg() == 4547
    items = tomllib.loads((sample / "landplan.toml").read_text(encoding="utf-8"))["evaluations"]["items"]
    assert set(rows["评估事项"]) == set(items.values())
    shapes = shapely.make_valid(parcels.geometry.to_numpy())

    def uncovered(item: str) -> int:
        good = rows[(rows["评估事项"] == item) & ~(rows["有效期至"] < DAY)]
        return int((shapely.area(shapely.difference(shapes, good.union_all())) > 0.01).sum())

    missing = {code: uncovered(item) for code, item in items.items()}
    assert 5 <= missing.pop("flood") <= 20
    assert 5 <= missing.pop("heritage") <= 20
    assert set(missing.values()) == {0}
    assert (rows["有效期至"] < DAY).sum() == 1


def test_the_heights_have_a_plain_a_hillside_and_a_corner_without_data(sample, parcels):
    with rasterio.open(sample / "高程" / "dem.tif") as dem:
        assert dem.crs.to_epsg() == 4526
        assert dem.nodata == -9999
        heights = dem.read(1, masked=True)
        west, south, east, north = dem.bounds
    assert shapely.box(west, south, east, north).contains(shapely.box(*parcels.total_bounds))
    assert 0.005 < heights.mask.mean() < 0.1
    assert heights.mask[0, -1]
    down, right = np.gradient(heights.filled(np.nan), 30)
    slope = np.degrees(np.arctan(np.hypot(down, right)))
    assert np.nanmax(slope) > 15
    assert np.nanmedian(slope) < 1.5


# -- the drawing tools


def test_lots_of_one_block_fill_it_without_gap():
    block = shapely.Polygon([(0, 0), (420, 30), (400, 380), (-20, 350)])
    lots = cut_lots([block], random_stage(99))
    assert len(lots) > 1
    assert shapely.coverage_is_valid(lots)
    assert shapely.union_all(lots).symmetric_difference(block).area < 1


def test_a_roughened_line_keeps_its_own_points_and_has_no_long_edge():
    line = np.array([(0.0, 0.0), (100.0, 0.0), (100.0, 50.0)])
    ragged = roughen(line, random_stage(99), shortest=10, share=0.1)
    assert np.hypot(*np.diff(ragged, axis=0).T).max() <= 10
    assert {(0.0, 0.0), (100.0, 0.0), (100.0, 50.0)} <= set(map(tuple, ragged.tolist()))


# -- judged


@pytest.fixture(scope="module")
def judged(sample):
    return assess(sample / "landplan.toml", as_of=date(2026, 11, 20))


def test_about_half_of_the_sample_is_ready_and_the_rest_has_its_reasons(judged, parcels):
    counts = judged.parcels["verdict"].value_counts()
    assert counts.sum() == len(parcels)
    assert 0.40 < counts["ready"] / len(parcels) < 0.55
    assert 0.10 < counts["pending"] / len(parcels) < 0.30
    assert 0.25 < counts["not_ready"] / len(parcels) < 0.45


def test_the_golden_parcel_fails_one_rule_and_no_other(judged):
    findings = judged.findings.set_index("parcel_id").loc["A-2"]
    failing = findings[findings["status"] != "pass"]
    assert failing["rule_id"].tolist() == ["invest_intensity.min"]
    assert failing[["measured", "required", "status"]].iloc[0].tolist() == [149.93, 150.0, "fail"]
    assert judged.parcels.at["A-2", "verdict"] == "not_ready"
    assert judged.parcels.at["A-2", "area_m2"] == pytest.approx(10_000, abs=1e-6)
    assert judged.parcels.at["A-2", "measure_epsg"] == 4547  # 3-degree, CM 114E


def test_sold_and_unconverted_parcels_are_counted_apart_from_the_stock(judged):
    supply = judged.parcels["supply_class"].value_counts()
    assert supply["supplied"] == 24  # of 25 sold, one was taken back
    assert 40 <= supply["incremental"] + supply["incremental_held"] <= 60
    assert supply["stock"] > 100
