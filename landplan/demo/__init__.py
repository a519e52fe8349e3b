"""
A synthetic project, clearly labelled 示例, that looks like a real zone's folder: `write_sample` writes it.

* shapes   streets, blocks, lots and ragged outlines
* ground   river, zones, constraint layers, evaluations, heights
* lots     the parcels, with awkward shapes put in on purpose
* papers   the ledgers, spelled as people spell
* estate   batches, resources, buildings, money, networks, outlines, decisions
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

[evaluations.zones]               # 示例高新园的清单是“7 项”中的 6 项；没有写的开发区需要全部
SL02 = ["environment", "geohazard", "flood", "soil_water", "minerals", "heritage"]

[events]
path = "台账/事项台账.xlsx"
sheet = "事项"
complete = ["sale", "withdrawal", "start", "completion", "production", "idle", "inefficient"]

[events.items]
plan = "规划条件"
clear_land = "净地"
approval = "农转用批复"
expropriation = "土地征收"
reserve = "收储"
road = "通路"
water = "通水"
power = "通电"
levelling = "场地平整"
gas = "通气"
heat = "通热"
ownership = "权属清晰"
compensation = "安置补偿落实"
no_dispute = "无法律经济纠纷"
sale = "出让"
withdrawal = "收回"
start = "开工"
completion = "竣工"
production = "投产"
idle = "闲置认定"
inefficient = "低效认定"
social_security = "失地农民养老保险"
risk_assessment = "社会稳定风险评估"
submission = "组卷上报"

[servicing]                       # 管网服务范围：地块整宗落在范围内，即为已通
path = "边界/管网服务范围.gpkg"

[[boundaries]]                    # 只有红线、没有逐宗台账的批复
axis = "approval"
title = "农转用批次红线"
path = "边界/批次红线.gpkg"

[registers]
batches = { path = "台账/报批批次.xlsx", sheet = "批次地块" }
batch_events = { path = "台账/报批批次.xlsx", sheet = "批次进度" }
capacities = { path = "台账/要素台账.xlsx" }
buildings = { path = "台账/厂房台账.xlsx" }
budget = { path = "台账/前期经费.xlsx", sheet = "预算" }
commitments = { path = "台账/前期经费.xlsx", sheet = "使用" }
overrides = { path = "台账/核定意见.xlsx" }
scope = { path = "台账/标准地范围.xlsx" }

[checklist]
path = "规则/用地清单.yaml"

[supply]
pace_years = 3
batch_requires = ["social_security", "risk_assessment"]

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
台账/事项台账.xlsx        净地、农转用批复、三通一平、出让、开工投产、闲置低效等事项
台账/报批批次.xlsx        三个报批批次：各有哪些地块，社保、稳评、组卷、批复到了哪一步
台账/要素台账.xlsx        水、电、气、热、能耗指标按节点的容量，其中一行超过一个季度没有更新
台账/厂房台账.xlsx        标准厂房和楼宇：面积、层高、荷载、吊车、租金、可用日期
台账/前期经费.xlsx        前期经费三个科目的预算和使用
台账/标准地范围.xlsx      哪类开发区、哪种用途的土地，从哪天起必须以标准地供应
台账/核定意见.xlsx        一事一议的核定意见，其中一条已经到期
边界/开发区范围.gpkg      两个开发区，其中一个 2024 年扩区，有两个版本
边界/管网服务范围.gpkg    供气、供热管网的服务范围，其中一处预计 2027 年通达
边界/批次红线.gpkg        两个早年批次的红线，一个只占地块的一部分
底图/                     永久基本农田、生态保护红线、城镇开发边界，以及各自的调查范围
评估/区域评估.gpkg        七项区域评估，有效期不一
高程/dem.tif              高程，30 米格网，两个角没有数据
规则/example/kaifaqu.yaml 示例规则集
规则/用地清单.yaml        示例用地清单：每项谁办、几个工作日、多少钱、先办什么
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

    from landplan.demo import estate, lots, papers, shapes
    from landplan.demo import files as doors
    from landplan.demo import ground as country

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
    batches = estate.plan_batches(plan)
    # Whether a parcel in a batch is approved, the batch says.
    events = [
        row
        for row in papers.write_events(parcels, plan)
        if not (row[0] in batches and row[1] == "农转用批复")
    ]
    events += estate.write_later_events(plan, batches)
    doors.write_events_book(papers.EVENT_HEADERS, events, folder / "台账" / "事项台账.xlsx")

    zones = country.draw_zones(blocks)
    held = parcels.set_index("parcel_id").representative_point().within(zones.geometry.iloc[-1])
    in_zone = {str(number): "SL02" if inside else "SL01" for number, inside in held.items()}
    for name, sheets in estate.write_registers(plan, batches, in_zone).items():
        title = f"示例经济技术开发区{name}（示例数据，均为编造）"
        doors.write_sheets(sheets, title, folder / "台账" / f"{name}.xlsx")
    doors.write_layer(zones.to_crs(4490), folder / "边界" / "开发区范围.gpkg")
    doors.write_layer(estate.draw_networks(zones), folder / "边界" / "管网服务范围.gpkg")
    doors.write_layer(estate.draw_outlines(parcels, plan), folder / "边界" / "批次红线.gpkg")
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
    shipped = files("landplan") / "readiness" / "checklists" / "example.yaml"
    (folder / estate.CHECKLIST).write_bytes(shipped.read_bytes())
    (folder / "说明.txt").write_text(ABOUT, encoding="utf-8", newline="\n")
    project = folder / "landplan.toml"
    project.write_text(PROJECT, encoding="utf-8", newline="\n")
    return project
