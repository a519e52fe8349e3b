"""A project of three parcels, written to a folder, for tests that break one thing and look at what is said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from geopandas import GeoDataFrame
from pyogrio import write_dataframe
from worlds import box, layer

from landplan.cli import main
from landplan.store import load_assessment
from landplan.tables import Assessment

TOML = """\
[project]
name = "三宗地"
[parcels]
paths = ["地块.gpkg"]
[[tables]]
path = "台账.csv"
[zones]
path = "范围.gpkg"
[[layers]]
name = "farmland"
title = "永久基本农田"
path = "农田.gpkg"
extent = "调查范围.gpkg"
[evaluations]
path = "评估.gpkg"
items = { flood = "洪水影响评价" }
[events]
path = "事项.csv"
items = { clear_land = "净地", approval = "农转用批复", sale = "出让" }
complete = ["sale"]
[rules]
book = "small"
folder = "规则"
"""
REFERENCE = "    reference:\n      2020-01-01: {title: 示例办法, article: 第一条}\n"
BOOK = f"""\
rulebook: small
title: 三条规则
checked_on: 2026-11-20
mark: 示例
rules:
  invest_intensity.min:
    indicator: invest_intensity_cny_per_m2
    test: at_least
    unit: 万元/亩
    force: mandatory
    values:
      2020-01-01: 150
{REFERENCE}\
  farmland.overlap:
    indicator: farmland_overlap_m2
    test: at_most
    unit: m2
    force: mandatory
    values:
      2020-01-01: 0
{REFERENCE}\
  evaluation.flood:
    indicator: evaluation_flood_share
    test: covered
    unit: "%"
    force: mandatory
    values:
      2020-01-01: 100
{REFERENCE}\
  clear_land.done:
    indicator: event_clear_land_state
    test: one_of
    force: mandatory
    values:
      2020-01-01: [done]
{REFERENCE}"""
LEDGER = "地块编号,固定资产投资强度（万元/亩）\nP-1,200\nP-2,200\nP-3,100\n"
EVENTS = "地块编号,事项,日期,状态\n" + "".join(
    f"{pid},{item},2024-06-01,完成\n" for pid in ("P-1", "P-2", "P-3") for item in ("净地", "农转用批复")
)


def drawn(**columns: list[Any]) -> GeoDataFrame:
    """Three squares of a hundred metres (15 亩 each), a hundred metres apart."""
    given = columns or {"地块编号": ["P-1", "P-2", "P-3"]}
    return layer(box(0, 0, 100), box(200, 0, 100), box(400, 0, 100), **given)


def write_layer(frame: GeoDataFrame, path: Path) -> Path:
    path.unlink(missing_ok=True)
    write_dataframe(frame, path)
    return path


def write_project(folder: Path) -> Path:
    """P-1 is ready; half of P-2 lies on farmland; P-3 promises 100 万元/亩 where 150 are asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "规则").mkdir()
    (folder / "规则" / "small.yaml").write_text(BOOK, encoding="utf-8")
    (folder / "landplan.toml").write_text(TOML, encoding="utf-8")
    (folder / "台账.csv").write_text(LEDGER, encoding="utf-8")
    (folder / "事项.csv").write_text(EVENTS, encoding="utf-8")
    around = box(-1000, -1000, 3000)
    write_layer(drawn(), folder / "地块.gpkg")
    write_layer(
        layer(around, 开发区代码=["Z1"], 开发区名称=["示例园"], 生效日期=["2019-01-01"]), folder / "范围.gpkg"
    )
    write_layer(layer(box(250, 0, 50, 100)), folder / "农田.gpkg")
    write_layer(layer(around), folder / "调查范围.gpkg")
    items = {"评估事项": ["洪水影响评价"], "批准日期": ["2023-01-01"], "有效期至": ["2028-01-01"]}
    write_layer(layer(around, **items), folder / "评估.gpkg")
    return folder


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Change a text; what is to be replaced must be there."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, f"{old!r} is not in {path.name}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Said:
    """Run the command line in this process, as the console script does."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    code = left.value.code
    assert isinstance(code, int)
    return Said(code, said.out, said.err)


def check(capsys: pytest.CaptureFixture[str], folder: Path, *words: str, as_of: str = "2026-11-20") -> Said:
    return run(capsys, "check", "-p", folder, "--as-of", as_of, *words)


def result(folder: Path) -> Assessment:
    return load_assessment(folder / "结果" / "核验.gpkg")


def verdicts(folder: Path) -> dict[str, str]:
    return result(folder).parcels["verdict"].to_dict()


def statuses(folder: Path, rule_id: str) -> dict[str, str]:
    findings = result(folder).findings
    rows = findings[(findings["rule_id"] == rule_id).to_numpy(dtype=bool)]
    return dict(zip(rows["parcel_id"], rows["status"], strict=True))
