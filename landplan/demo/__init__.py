"""
A synthetic project, clearly labelled 示例, that looks like a real zone's folder: `write_sample` writes it.

* shapes   streets, blocks, lots and ragged outlines
* ground   river, zones, constraint layers, evaluations, heights
* lots     the parcels, with awkward shapes put in on purpose
* papers   the ledgers, spelled as people spell
* files    writers that give the same bytes at every run
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_sample"]

PROJECT = """\
# 示例数据，不是真实地块。由 landplan demo 写成。
[project]
name = "示例经济技术开发区（示例数据）"
sample = true
output = "结果"

[parcels]
paths = ["地块/地块.shp"]

[[tables]]
path = "台账/控制指标台账.xlsx"
sheet = "控制指标"
basis = "set"

[zones]
path = "边界/开发区范围.gpkg"

[[layers]]
name = "farmland"
title = "永久基本农田"
path = "底图/YJJBNTTB.gpkg"
extent = "底图/调查范围.geojson"

[[layers]]
name = "redline"
title = "生态保护红线"
path = "底图/STBHHX.gpkg"
extent = "底图/规划范围.geojson"

[[layers]]
name = "urban"
title = "城镇开发边界"
path = "底图/CZKFBJ.geojson"
extent = "底图/规划范围.geojson"

[evaluations]
path = "评估/区域评估.gpkg"

[evaluations.items]
environment = "区域环境影响评价"
geohazard = "地质灾害危险性评估"
flood = "洪水影响评价"
soil_water = "水土保持评价"
minerals = "压覆重要矿产资源评估"
seismic = "地震安全性评价"
heritage = "考古调查勘探"

[events]
path = "台账/事项台账.xlsx"
sheet = "事项"
complete = ["sale"]

[events.items]
clear_land = "净地"
approval = "农转用批复"
expropriation = "土地征收"
reserve = "收储"
road = "通路"
water = "通水"
power = "通电"
levelling = "场地平整"
sale = "出让"

[terrain]
dem = "高程/dem.tif"

[rules]
book = "example.kaifaqu"
folder = "规则"
"""

ABOUT = """\
示例数据，不是真实地块。

本文件夹由 landplan demo 写成，仿照一个开发区的资料文件夹。地块、界线、数值、文号、日期全部由程序编造，
与任何真实的开发区、地块、单位和个人无关；规则集中的数值也是编造的，不是法律依据。
坐标落在东经 112.5 度两侧，只为让 3 度带第 37 带与第 38 带在一个项目里相遇。

地块/地块.shp             约 300 宗地块，GBK 编码，没有 .cpg；有带洞的、多部分的、狭长碎片、重叠、自相交的图形
台账/控制指标台账.xlsx    控制指标；有合并表头、单位行、合计行、备注行，数值写法不一
台账/事项台账.xlsx        净地、农转用批复、三通一平、出让等事项
边界/开发区范围.gpkg      两个开发区，其中一个 2024 年扩区，有两个版本
底图/                     永久基本农田、生态保护红线、城镇开发边界，以及各自的调查范围
评估/区域评估.gpkg        七项区域评估，有效期不一
高程/dem.tif              高程，30 米格网，两个角没有数据
规则/example/kaifaqu.yaml 示例规则集
landplan.toml             项目文件；在本文件夹运行 landplan check

Sample data: made up by a program; no parcel, figure or document here is real.
"""


def write_sample(folder: Path) -> Path:
    """
    Write the sample project, the same to the byte at every run.

    Parameters
    ----------
    folder : Path
        Where to; made if missing. Files of the same names are replaced, others are left alone.

    Returns
    -------
    Path
        The project file ``landplan.toml``.
    """
    from importlib.resources import files

    from landplan.demo import files as doors
    from landplan.demo import ground as country
    from landplan.demo import lots, papers, shapes

    folder = Path(folder)
    ground = country.lay_ground()
    blocks = shapes.cut_blocks(ground.barriers, shapes.random_stage(1))
    parcels = lots.draw_parcels(lots.leave_open(blocks), ground)
    plan = papers.make_plan(parcels)

    drawn = parcels[["geometry"]].copy()
    drawn.insert(0, "地块编号", parcels["parcel_id"])
    drawn.insert(1, "地块名称", "示例地块" + parcels["parcel_id"])
    drawn.insert(2, "乡镇", parcels["township"])
    drawn.insert(3, "面积_亩", parcels["parcel_id"].map(plan.areas))
    drawn.insert(4, "用途", "工业用地")
    drawn.insert(5, "用途代码", "1001")
    doors.write_gbk_shapefile(drawn, folder / "地块" / "地块.shp")

    ledger = papers.write_ledger(parcels, plan)
    doors.write_ledger_book(
        papers.HEADERS, ledger, papers.TITLE, papers.NOTES, folder / "台账" / "控制指标台账.xlsx"
    )
    events = papers.write_events(parcels, plan)
    doors.write_events_book(papers.EVENT_HEADERS, events, folder / "台账" / "事项台账.xlsx")

    doors.write_layer(country.draw_zones(blocks).to_crs(4490), folder / "边界" / "开发区范围.gpkg")
    caught = lots.pick_caught(parcels, blocks, ground)
    base = folder / "底图"
    doors.write_layer(country.draw_farmland(blocks, ground, caught["farmland"]), base / "YJJBNTTB.gpkg")
    doors.write_layer(country.draw_redline(ground, blocks, caught["redline"]), base / "STBHHX.gpkg")
    doors.write_geojson(country.draw_urban(blocks), base / "CZKFBJ.geojson")
    for name, extent in country.draw_extents(blocks, lots.survey_edge(parcels)).items():
        doors.write_geojson(extent, base / f"{name}.geojson")
    # Another surveyor's work: the same zone without its prefix.
    doors.write_layer(country.draw_evaluations(blocks).to_crs(4547), folder / "评估" / "区域评估.gpkg")
    heights = country.draw_heights(ground)
    doors.write_heights(heights, country.DEM_CORNER, country.DEM_CELL, folder / "高程" / "dem.tif")

    book = files("landplan") / "rulebooks" / "example" / "kaifaqu.yaml"
    rules = folder / "规则" / "example" / "kaifaqu.yaml"
    rules.parent.mkdir(parents=True, exist_ok=True)
    rules.write_bytes(book.read_bytes())
    (folder / "说明.txt").write_text(ABOUT, encoding="utf-8", newline="\n")
    project = folder / "landplan.toml"
    project.write_text(PROJECT, encoding="utf-8", newline="\n")
    return project
