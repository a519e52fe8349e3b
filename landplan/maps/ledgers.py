"""Registers on the map: capacities by node, buildings, and any register a bureau declares."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import Fault, UsageError
from landplan.maps.facts import print_value, say_rows
from landplan.maps.themes import Block, Listing, Theme
from landplan.registers import display_register, filter_register, load_declaration
from landplan.resources import attach_capacity, list_buildings, measure_headroom
from landplan.schema import column, dictionary

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

    from landplan.project import Project
    from landplan.registers import Declaration
    from landplan.tables import Assessment

__all__ = ["list_buildings_on_map", "list_capacity", "list_register"]

_STATES = {"available": "有余量", "full": "无余量", "unknown": "过期或不明"}
_FIGURES = (
    "headroom", "capacity", "used", "committed", "reserved", "measured_on", "is_stale",
)  # fmt: skip
_USED = {
    "empty": "全部空置",
    "below": "使用不到一半",
    "above": "使用一半以上",
    "full": "全部在用",
    "unknown": "面积不明",
}
_JOINTS = re.compile(r"[、，,;；/\s]+")
_MOST_THEMES = 6
_MOST_NAMED = 6


def list_capacity(assessment: Assessment, _: Project | None) -> Listing:
    """
    List parcels by the capacity that reaches them.

    Parameters
    ----------
    assessment : Assessment
        With the register ``capacities``.

    Returns
    -------
    Listing
        The first theme is the scarcest resource of each parcel, then one a resource; the figures of its nodes, those
        older than a quarter marked and counted as unknown.

    Raises
    ------
    UsageError
        If there is no register of capacities.
    """
    capacities = _register_of(assessment, "capacities", "要素台账")
    as_of = assessment.provenance.as_of
    nodes, _issues = measure_headroom(capacities, assessment.registers.get("holds"), as_of)
    words = column("resource")
    resources = [code for code in words.values if (nodes["resource"] == code).any()]
    parcels = pd.DataFrame(assessment.parcels.drop(columns="geometry"))
    # What was judged by is shown; a resource no rule asks for is looked up here.
    unjudged = [code for code in resources if f"capacity_{code}_node" not in parcels]
    attached, _issues = attach_capacity(parcels, nodes, unjudged)
    parcels = parcels.join(attached)
    states = {code: _state(parcels, code) for code in resources}
    every = pd.DataFrame(states, index=assessment.parcels.index)
    worst: pd.Series[Any] = pd.Series(index=every.index, dtype="object")
    for key in ("available", "unknown", "full"):
        worst = worst.mask((every == key).any(axis=1).to_numpy(dtype=bool), key)
    rest = "没有对应节点"
    themes = [
        Theme("最紧的一项要素", worst, _STATES, "signal", rest),
        *(Theme(words.word(code), states[code], _STATES, "signal", rest) for code in resources),
    ]
    at = {(r, n): place for place, (r, n) in enumerate(zip(nodes["resource"], nodes["node"], strict=True))}
    said = say_rows(nodes, _FIGURES, {})
    blocks: dict[str, list[Block]] = {}
    served = set()
    for code in resources:
        for pid, node in parcels[f"capacity_{code}_node"].dropna().items():
            place = at.get((code, str(node)))
            if place is not None:
                served.add(place)
                blocks.setdefault(str(pid), []).append(Block(f"{words.word(code)}　{node}", said[place]))
    idle = [
        f"{words.word(str(r))} {n}"
        for place, (r, n) in enumerate(zip(nodes["resource"], nodes["node"], strict=True))
        if place not in served
    ]
    notes = [f"另有 {len(idle)} 个节点不对应任何地块：{_first(idle)}。"] if idle else []
    return Listing("要素保障一张图", "节点余量", themes, blocks, notes=notes, empty="没有地块对应要素节点。")


def _state(parcels: DataFrame, code: str) -> pd.Series[Any]:
    node, state = parcels[f"capacity_{code}_node"], parcels[f"capacity_{code}_state"]
    return state.astype("object").where(state.notna(), "unknown").where(node.notna())


def _first(names: Sequence[str]) -> str:
    return "、".join(names[:_MOST_NAMED]) + (" 等" if len(names) > _MOST_NAMED else "")


def _register_of(assessment: Assessment, name: str, title: str) -> DataFrame:
    frame = assessment.registers.get(name)
    if frame is None or frame.empty:
        known = [key for key, rows in assessment.registers.items() if len(rows)]
        raise UsageError(
            Fault(
                en=f"there is no register {name!r} with rows.",
                zh=f"没有“{title}”登记簿，或其中没有数据。",
                mend_en=f"supply [registers.{name}]; there are: {', '.join(known) or 'none'}",
                mend_zh=f"在 landplan.toml 中补充 [registers.{name}]；现有：{'、'.join(known) or '无'}",
            )
        )
    return frame


def list_buildings_on_map(assessment: Assessment, _: Project | None) -> Listing:
    """
    List parcels with buildings on them, by the share of floor area in use.

    Parameters
    ----------
    assessment : Assessment
        With the register ``buildings``.

    Returns
    -------
    Listing
        A parcel whose buildings are not all measured is of unknown use. Buildings on no parcel are counted in a note.

    Raises
    ------
    UsageError
        If there is no register of buildings.
    """
    rows, _issues = list_buildings(
        _register_of(assessment, "buildings", "厂房楼宇"), assessment.provenance.as_of
    )
    known = set(assessment.parcels.index.astype("str"))
    placed = rows[rows["parcel_id"].isin(known).to_numpy(dtype=bool)]
    ids = placed["parcel_id"].astype("str")
    built = placed.groupby(ids)["built_m2"].agg(lambda values: values.sum(skipna=False))
    used = placed.groupby(ids)["used_m2"].agg(lambda values: values.sum(skipna=False))
    share = (used / built.where(built > 0)).reindex(built.index)
    of = pd.Series(
        np.select(
            [share.isna(), share <= 0, share < 0.5, share < 1], ["unknown", "empty", "below", "above"], "full"
        ),
        index=share.index,
        dtype="object",
    )
    kinds = column("building_kind")
    one = placed.groupby(ids)["building_kind"].agg(
        lambda values: "mixed" if values.nunique() > 1 else values.iloc[0]
    )
    rest = "没有登记厂房楼宇"
    themes = [
        Theme("厂房楼宇：使用比例", of, _USED, "steps", rest),
        Theme(
            "厂房楼宇：类型",
            one,
            {**{code: kinds.word(code) for code in kinds.values}, "mixed": "多种"},
            "kinds",
            rest,
        ),
    ]
    names = [
        name
        for name in (*_columns_of("buildings"), *_columns_of("buildings_list"))
        if name
        not in ("building_id", "storey", "building_name", "parcel_id", "zone_code", "source", "source_row")
    ]
    heads = [
        " ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part))
        for parts in zip(placed["building_id"], placed["building_name"], placed["storey"], strict=True)
    ]
    blocks: dict[str, list[Block]] = {}
    for pid, head, facts in zip(ids, heads, say_rows(placed, names, {}), strict=True):
        blocks.setdefault(pid, []).append(Block(head, facts))
    says = {str(pid): f"空置 {value:,.0f} ㎡" for pid, value in (built - used).dropna().items() if value > 0}
    lost = len(rows) - len(placed)
    notes = [f"另有 {lost} 栋没有落到本次地块，未上图，见工作簿。"] if lost else []
    return Listing(
        "闲置厂房楼宇一张图", "厂房楼宇", themes, blocks, says, notes, empty="没有落到地块的厂房楼宇。"
    )


def _columns_of(table: str) -> list[str]:
    return [declared.name for declared in dictionary().values() if table in declared.tables]


def list_register(
    assessment: Assessment, name: str, parcels: GeoDataFrame, audience: str, project: Project | None
) -> Listing:
    """
    List parcels or zones that have rows in a register.

    Parameters
    ----------
    assessment : Assessment
        With the register.
    name : str
        Its name.
    parcels : GeoDataFrame
        Parcels the page may show: rows of others are left out, and not counted.
    audience : {"planner", "investor"}
        An investor is shown public columns alone.
    project : Project or None
        Where its own declarations stand.

    Returns
    -------
    Listing
        One theme for having rows, one for each column of codes the audience may see.

    Raises
    ------
    UsageError
        If there is no such register, or none of its columns puts it on the map.
    """
    part = project.registers.get(name) if project else None
    folders = [project.path("登记表")] if project else []
    declared: Declaration = load_declaration((part.declaration if part else None) or name, folders)
    title = declared.title("zh")
    frame = _register_of(assessment, name if name in assessment.registers else declared.name, title)
    if declared.geometry == "none":
        raise UsageError(
            Fault(
                en=f"the register {name!r} has no column that puts it on the map.",
                zh=f"登记簿“{title}”没有地块编号或开发区代码，不能上图。",
                mend_en="declare geometry: parcel_id or zone_code",
                mend_zh="在登记表声明中写明 geometry: parcel_id 或 zone_code",
            )
        )
    rows = filter_register(frame, declared, as_of=assessment.provenance.as_of)
    of_zones = declared.geometry == "zone_code"
    known = set(assessment.zones["zone_code"] if of_zones else parcels.index.astype("str"))
    # A node may serve several zones, a paper several parcels: a row stands at each of them.
    rows = rows.assign(**{declared.geometry: rows[declared.geometry].fillna("").map(_JOINTS.split)})
    rows = rows.explode(declared.geometry)
    is_placed = rows[declared.geometry].isin(known).to_numpy(dtype=bool)
    placed = rows[is_placed].reset_index(drop=True)
    ids = placed[declared.geometry].astype("str")
    every = pd.Series("yes", index=pd.Index(ids.unique()), dtype="object")
    unit = "个开发区" if of_zones else "宗"
    rest = "没有记录"
    themes = [Theme(title, every, {"yes": "有记录"}, "kinds", rest)]
    for code, one in declared.columns.items():
        if one.kind == "category" and (audience == "planner" or one.audience == "public"):
            state = placed.groupby(ids)[code].agg(
                lambda values: "mixed" if values.nunique(dropna=False) > 1 else values.iloc[0]
            )
            words = {**{key: one.word(key) for key in one.values}, "mixed": "几种都有"}
            themes.append(
                Theme(
                    f"{title}：{one.label('zh')}",
                    state.astype("object").where(state.notna(), "unknown"),
                    _with_unknown(words),
                    "kinds",
                    rest,
                )
            )
    blocks = _register_blocks(placed, ids, declared, audience)
    lost = int((~is_placed).sum()) if audience == "planner" else 0
    notes = [f"另有 {lost} 行不对应本次的{unit.strip('个')}，未上图。"] if lost else []
    return Listing(
        f"{title}一张图",
        title,
        themes[:_MOST_THEMES],
        blocks,
        notes=notes,
        is_of_zones=of_zones,
        empty="截至评定日没有在册记录。",
    )


def _with_unknown(words: Mapping[str, str]) -> dict[str, str]:
    return {**{key: word for key, word in words.items() if key != "unknown"}, "unknown": "未填写"}


def _register_blocks(
    placed: DataFrame, ids: pd.Series[Any], declared: Declaration, audience: str
) -> dict[str, list[Block]]:
    """Say the rows of a register, of the columns the audience may see, each number in its unit."""
    shown = display_register(placed, declared, audience="public" if audience == "investor" else "planner")
    texts: dict[str, list[str]] = {}
    for name, one in declared.columns.items():
        if one.header() in shown and name != declared.geometry and name not in declared.units.values():
            said = [print_value(value, one) for value in shown[one.header()]]
            beside = declared.columns.get(declared.units.get(name, ""))
            if beside is not None and beside.header() in shown:
                units = shown[beside.header()]
                said = [
                    f"{text} {unit}" if text and isinstance(unit, str) else text
                    for text, unit in zip(said, units, strict=True)
                ]
            texts[one.label()] = said
    keys = [declared.columns[name] for name in declared.key]
    heads = [one.label() for one in keys if one.kind != "day" and one.label() in texts]
    blocks: dict[str, list[Block]] = {}
    for at, place in enumerate(ids):
        head = "　".join(texts[label][at] for label in heads if texts[label][at])
        facts = [(label, said[at]) for label, said in texts.items() if said[at]]
        blocks.setdefault(place, []).append(Block(head or f"第 {len(blocks.get(place, [])) + 1} 条", facts))
    return blocks
