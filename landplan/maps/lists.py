"""Lists of parcels on the map: stock, increment, reserve, batches, readiness; and the door to those of registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landplan.errors import Fault, UsageError
from landplan.maps.facts import say_rows
from landplan.maps.ledgers import list_buildings_on_map, list_capacity, list_register
from landplan.maps.themes import Block, Listing, Theme
from landplan.schema import coerce, column
from landplan.supply import ADMISSION, board_batches, list_supply, reserve_of
from landplan.supply.lists import LISTED
from landplan.workdays import add_workdays, load_calendar

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

    from landplan.project import Project
    from landplan.tables import Assessment

__all__ = ["LISTS", "make_listing"]

LISTS = {
    "stock": "存量可出让",
    "incremental": "增量可报批",
    "reserve": "标准地储备库",
    "batches": "报批批次",
    "capacity": "要素保障",
    "buildings": "闲置厂房楼宇",
    "readiness": "成熟度与用地清单",
}
"""Lists there is a map of, and what they are called."""

_STOCK = ("reserve", "approved_unsold", "sold_unused", "underused")
_AXES = ("approval_axis", "servicing_axis", "sale_axis", "occupation_axis")
_IN_HEAD = ("parcel_name", "zone_code", "area_m2", "verdict", "supply_class", "supply_reason_en")
_READY = (
    "tier", "ready_on", "ready_days", "ready_cost_cny", "is_ready_tentative", "task_count", "clear_land",
    "servicing_level",
)  # fmt: skip
_TASK = ("task_group", "task_state", "party", "days", "cost_cny", "start_on", "finish_on", "is_critical")
_SETTLED = ("done", "not_required")
_RESERVE = ("admission", "admission_missing", "entry_on", "exit_on", "exit_cause", "age_days")
_BOARD = (
    "batch_name", "batch_kind", "batch_parcels", "batch_area_m2", "step", "step_state", "step_on", "step_days", "due_on",
    "is_late", "can_submit", "missing_items", "party", "approved_on", "approval_no",
)  # fmt: skip
_AGES = {
    "y1": "在库不满一年",
    "y2": "一年至二年",
    "y3": "二年至三年",
    "more": "三年以上",
    "unknown": "入库日不明",
}
_SPANS = {
    "later": "一年以后",
    "y1": "一年以内",
    "half": "半年以内",
    "quarter": "三个月以内",
    "now": "已具备",
    "unknown": "日期无法推算",
}


def make_listing(
    assessment: Assessment, view: str, parcels: GeoDataFrame, audience: str, project: Project | None
) -> Listing:
    """
    Make the list a map is asked for.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    view : str
        A key of ``LISTS``, or ``register:<name>``.
    parcels : GeoDataFrame
        The parcels the page shows, cut to the audience.
    audience : {"planner", "investor"}
        Whom a register is drawn for; the other lists are for planners.
    project : Project or None
        What it asks of batches and of the reserve, and where its declarations stand.

    Returns
    -------
    Listing
        Names no parcel that is not among ``parcels``.

    Raises
    ------
    UsageError
        If the assessment has nothing the list could be made of.
    """
    if view.startswith("register:"):
        return list_register(assessment, view.partition(":")[2], parcels, audience, project)
    makers: dict[str, Callable[[Assessment, Project | None], Listing]] = {
        "stock": _stock,
        "incremental": _incremental,
        "reserve": _reserve,
        "batches": _batches,
        "capacity": list_capacity,
        "buildings": list_buildings_on_map,
        "readiness": _readiness,
    }
    return makers[view](assessment, project)


def _nothing_for(view: str, needs_zh: str, needs_en: str) -> UsageError:
    return UsageError(
        Fault(
            en=f"there is nothing to draw {view} from: {needs_en}.",
            zh=f"没有可供绘制“{LISTS[view]}”的数据：{needs_zh}。",
            mend_en="supply it in landplan.toml and check again",
            mend_zh="在 landplan.toml 中补充后重新核验。",
        )
    )


def _blocks(
    frame: DataFrame,
    ids: Sequence[str],
    names: Sequence[str],
    titles: Mapping[str, str],
    heads: Sequence[str] | None = None,
) -> dict[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    said = say_rows(frame, names, titles)
    for at, (pid, facts) in enumerate(zip(ids, said, strict=True)):
        if facts:
            found.setdefault(pid, []).append(Block(heads[at] if heads else "", facts))
    return found


def _masked(values: pd.Series[Any], mask: np.ndarray[Any, Any]) -> pd.Series[Any]:
    """Classes of those a list is of; where one has none, ``unknown``."""
    return values.astype("object").where(values.notna(), "unknown").where(mask)


def _is(parcels: DataFrame, name: str, codes: Sequence[str]) -> np.ndarray[Any, Any]:
    if name not in parcels:
        return np.zeros(len(parcels), dtype=bool)
    return parcels[name].isin(list(codes)).to_numpy(dtype=bool)


def _axis_themes(parcels: DataFrame, mask: np.ndarray[Any, Any], of_what: str, rest: str) -> list[Theme]:
    words = {name: column(name) for name in _AXES if name in parcels}
    return [
        Theme(
            f"{of_what}：{declared.label()}",
            _masked(parcels[name], mask),
            {code: declared.word(code) for code in declared.values},
            "kinds",
            rest,
        )
        for name, declared in words.items()
    ]


def _supply_blocks(assessment: Assessment, kind: str) -> dict[str, list[Block]]:
    listed = list_supply(assessment, kind)
    names = [
        "supply_reason_zh", "stock_kind", *_AXES, *(n for n in LISTED if n not in (*_IN_HEAD, "supply_reason_zh")),
    ]  # fmt: skip
    rows = assessment.parcels.loc[listed.index]
    return _blocks(rows, [str(pid) for pid in rows.index], names, assessment.provenance.titles)


def _stock(assessment: Assessment, _: Project | None) -> Listing:
    parcels = assessment.parcels
    listed = _is(parcels, "supply_class", ["stock"])
    themes = []
    if "stock_kind" in parcels:
        words = column("stock_kind")
        here = set(parcels["stock_kind"][listed].dropna())
        kinds = {code: words.word(code) for code in words.values if code in here} or {"stock": "存量可出让"}
        themes = [
            Theme(
                "可出让清单：按存量类型", _masked(parcels["stock_kind"], listed), kinds, "kinds", "不在清单"
            ),
            Theme(
                "全部存量：按存量类型",
                parcels["stock_kind"].where(_is(parcels, "stock_kind", _STOCK)),
                {code: words.word(code) for code in _STOCK},
                "kinds",
                "不是存量",
            ),
            *_axis_themes(parcels, _is(parcels, "stock_kind", _STOCK), "全部存量", "不是存量"),
        ]
    else:
        plain = pd.Series("stock", index=parcels.index).where(listed)
        themes = [
            Theme("可出让清单", plain, {"stock": column("supply_class").word("stock")}, "signal", "不在清单")
        ]
    return Listing(
        "存量可出让一张图", "清单信息", themes, _supply_blocks(assessment, "stock"), empty="截至评定日没有可出让的存量地块。"
    )  # fmt: skip


def _incremental(assessment: Assessment, _: Project | None) -> Listing:
    parcels = assessment.parcels
    classes = ("incremental", "incremental_held")
    of = parcels["supply_class"].where(_is(parcels, "supply_class", classes))
    words = {code: column("supply_class").word(code) for code in classes}
    listed = _is(parcels, "supply_class", ["incremental"])
    return Listing(
        "增量可报批一张图",
        "清单信息",
        [
            Theme("增量：可否报批", of, words, "signal", "不是增量"),
            *_axis_themes(parcels, listed, "可报批清单", "不在清单"),
        ],
        _supply_blocks(assessment, "incremental"),
        empty="截至评定日没有可报批的增量地块。",
    )


def _reserve(assessment: Assessment, project: Project | None) -> Listing:
    asked = tuple(project.supply.admission) if project else ADMISSION
    rows = reserve_of(assessment, asked)
    ids = rows["parcel_id"].astype("str")
    last = rows.set_index(ids).pipe(lambda held: held[~held.index.duplicated(keep="last")])
    inside = last["exit_on"].isna().to_numpy(dtype=bool)
    admission, cause = column("admission"), column("exit_cause")
    years = np.floor(last["age_days"].astype("Float64") / 365.25)
    ages = pd.Series(
        np.select([years < 1, years < 2, years < 3, years >= 3], ["y1", "y2", "y3", "more"], "unknown"),
        index=last.index,
    )
    left = last["exit_cause"].astype("object").where(last["exit_cause"].notna(), "unknown")
    rest = "不在储备库"
    themes = [
        Theme(
            "在库：是否符合入库条件",
            _masked(last["admission"], inside),
            {c: admission.word(c) for c in admission.values},
            "signal",
            rest,
        ),
        Theme("在库：时间", ages.where(inside), _AGES, "steps", rest),
        Theme(
            "在库与出库",
            left.where(~inside, "in"),
            {
                "in": "在库",
                **{c: f"已出库：{cause.word(c)}" for c in cause.values},
                "unknown": "已出库：原因不明",
            },
            "kinds",
            rest,
        ),
    ]
    days = rows["entry_on"].dt.strftime("%Y-%m-%d").fillna("入库日不明").tolist()
    blocks = _blocks(
        rows, ids.tolist(), _RESERVE, assessment.provenance.titles, [f"{day} 入库" for day in days] if len(rows) else None
    )  # fmt: skip
    return Listing("标准地储备库一张图", "储备信息", themes, blocks, empty="截至评定日没有入库记录。")


def _batches(assessment: Assessment, project: Project | None) -> Listing:
    members = assessment.registers.get("batches")
    if members is None or members.empty:
        raise _nothing_for("batches", "没有 [registers.batches]", "there is no [registers.batches]")
    steps = assessment.registers.get("batch_events", coerce(pd.DataFrame(), "batch_events"))
    titles = assessment.provenance.titles
    calendar = load_calendar(project.path(project.calendar.path) if project and project.calendar else None)
    board = board_batches(
        members,
        steps,
        assessment.parcels,
        assessment.provenance.as_of,
        project.supply.batch_requires if project else (),
        lambda day, count: add_workdays(day, count, calendar),
        titles,
    ).reset_index()
    rows = members[["batch_no", "parcel_id"]].merge(board, on="batch_no", how="left")
    rows = rows.sort_values("step_on", kind="stable", na_position="first")
    ids = rows["parcel_id"].astype("str")
    last = rows.set_index(ids).pipe(lambda held: held[~held.index.duplicated(keep="last")])
    words = column("can_submit")
    rest = "不在批次"
    numbers = list(dict.fromkeys(board["batch_no"].astype("str")))
    found = list(dict.fromkeys(last["step"].dropna().astype("str")))
    every = np.ones(len(last), dtype=bool)
    themes = [
        Theme(
            "批次：批复与上报",
            _masked(last["can_submit"], every),
            {code: words.word(code) for code in ("done", "yes", "no", "unknown")},
            "kinds",
            rest,
        ),
        Theme(
            "批次：当前环节",
            _masked(last["step"], every),
            {**{step: step for step in found}, "unknown": "没有环节记录"},
            "kinds",
            rest,
        ),
        Theme(
            "批次：哪一批",
            last["batch_no"].astype("object"),
            {no: no for no in numbers},
            "kinds",
            rest,
        ),
    ]
    blocks = _blocks(rows, ids.tolist(), _BOARD, titles, [f"批次 {no}" for no in rows["batch_no"]])
    absent = [pid for pid in dict.fromkeys(ids) if pid not in set(assessment.parcels.index.astype("str"))]
    return Listing(
        "报批批次一张图", "批次信息", themes, blocks, notes=_absent(absent, "批次"), empty="没有报批批次。"
    )


def _absent(ids: Sequence[str], of_what: str) -> list[str]:
    if not ids:
        return []
    more = " 等" if len(ids) > 5 else ""
    return [f"{of_what}中另有 {len(ids)} 宗不在本次地块中，未上图：{'、'.join(ids[:5])}{more}。"]


def _readiness(assessment: Assessment, _: Project | None) -> Listing:
    parcels, as_of = assessment.parcels, pd.Timestamp(assessment.provenance.as_of)
    if "tier" not in parcels:
        raise _nothing_for("readiness", "没有成熟度结果", "the assessment has no tiers")
    titles = assessment.provenance.titles
    every = np.ones(len(parcels), dtype=bool)
    themes = []
    for name, title in (("tier", "成熟度"), ("servicing_level", "通平程度"), ("clear_land", "净地")):
        if name in parcels:
            declared = column(name)
            codes = [code for code in declared.values if code != "unknown"]
            # Legends go from early to late: 七通一平 is the last, as 标准地可出让 is.
            codes = codes[::-1] if name == "servicing_level" else codes
            words = {code: declared.word(code) for code in [*codes, "unknown"] if code in declared.values}
            family = "signal" if name == "clear_land" else "steps"
            themes.append(Theme(title, _masked(parcels[name], every), words, family, "未评"))
    says = {}
    if "ready_on" in parcels:
        themes.insert(1, Theme("最早具备条件日", _spans(parcels, as_of), _SPANS, "steps", "未评"))
        days = parcels["ready_on"].where(parcels["ready_on"] > as_of).dt.strftime("%Y-%m-%d")
        says = {str(pid): f"{day} 可具备" for pid, day in days.dropna().items()}
    blocks = _blocks(parcels, [str(pid) for pid in parcels.index], _READY, titles)
    tasks = assessment.tasks
    open_tasks = tasks[~tasks["task_state"].isin(_SETTLED).to_numpy(dtype=bool)]
    heads = [
        title if isinstance(title, str) and title else titles.get(str(item), str(item))
        for title, item in zip(open_tasks["title"], open_tasks["item"], strict=True)
    ]
    for pid, more in _blocks(
        open_tasks, open_tasks["parcel_id"].astype("str").tolist(), _TASK, titles, heads
    ).items():
        blocks.setdefault(pid, []).extend(more)
    return Listing("成熟度一张图", "用地清单", themes, blocks, says, empty="没有地块。")


def _spans(parcels: DataFrame, as_of: pd.Timestamp) -> pd.Series[Any]:
    """How long each parcel needs until it can be ready, in classes."""
    day = parcels["ready_on"]
    of = pd.Series("later", index=parcels.index, dtype="object").where(day.notna(), "unknown")
    for key, months in (("y1", 12), ("half", 6), ("quarter", 3)):
        of = of.mask((day <= as_of + pd.DateOffset(months=months)).to_numpy(dtype=bool), key)
    return of.mask(((day <= as_of) | (parcels["tier"] == "standard")).to_numpy(dtype=bool), "now")
