"""Plan, shares and zones, laid out: the year plan of supply, the share of 标准地, the register of zones and its changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.reports.lists import AREA_FORMAT, COUNT_FORMAT, Listing, mu_of, records_of, table_of, word_of
from landplan.reports.page import Cell, Field, fields_of
from landplan.schema import column
from landplan.supply.axes import say_share
from landplan.supply.books import BOOK_RULE
from landplan.units import convert

if TYPE_CHECKING:
    from landplan.supply import Plan
    from landplan.versions import BoundaryChange

__all__ = ["list_plan", "list_shares", "list_zones"]

_HECTARES = "#,##0.0000"
_SQUARE = "#,##0.00####"
_ORIGINS = {"stock": "存量", "new": "新增"}
_BASIS = {"planned": "台账", "ready": "最早具备条件"}


def _count(frame: pd.DataFrame, row: str, name: str) -> int:
    return int(frame[name].loc[row])


def _days(values: pd.Series[Any]) -> list[Cell]:
    return [None if pd.isna(day) else pd.Timestamp(day).date() for day in values]


def _texts(values: pd.Series[Any]) -> list[Cell]:
    return [None if pd.isna(value) else str(value) for value in values]


def _km2(values: pd.Series[Any]) -> list[Cell]:
    return [None if pd.isna(v) else convert(float(v), "m2", "平方公里") for v in values]


def list_plan(plan: Plan) -> list[Listing]:
    """
    Lay a year plan out: the table, the parcels, and what is in no plan.

    Parameters
    ----------
    plan : Plan
        As ``plan_supply`` gives.

    Returns
    -------
    list of Listing
        供应计划表, 供应计划地块, 未列入计划.
    """

    def cut(frame: pd.DataFrame) -> list[Field]:
        return [
            Field("土地用途", [text or "（未填）" for text in frame["land_use"]]),
            Field("季度", [f"第{'一二三四'[int(quarter) - 1]}季度" for quarter in frame["quarter"]]),
            Field("供应方式", [word_of("supply_mode", code) or "（未填）" for code in frame["supply_mode"]]),
            Field("存量/新增", [_ORIGINS[code] for code in frame["origin"]]),
            Field("乡镇（街道）", [text or "（未填）" for text in frame["township"]]),
        ]

    count, hectares = plan.total()
    notes = [
        f"{plan.year} 年。面积单位为公顷，逐宗四舍五入到 0.0001 公顷（1 平方米）后相加，各级合计等于所列各行之和。",
        "计划供应日取自台账；没有计划供应日的未供地块，取可具备条件的最早一天，并注明。",
    ]
    table = Listing(
        "plan",
        f"{plan.year}年供应计划表",
        [
            *cut(plan.table),
            Field("宗", plan.table["parcels"].tolist(), COUNT_FORMAT),
            Field("公顷", plan.table["hectares"].tolist(), _HECTARES),
        ],
        records_of(plan.table),
        ["合计", None, None, None, None, count, hectares],
        notes,
        {
            "year": plan.year,
            "parcels": records_of(plan.rows.reset_index()),
            "total": {"parcels": count, "hectares": hectares},
            "undated": records_of(plan.undated.reset_index()),
        },
    )
    rows = plan.rows
    detail = [
        Field("地块编号", rows.index.astype("str").tolist()),
        *cut(rows),
        Field("供应日期", _days(rows["day"])),
        Field("日期依据", [_BASIS[code] for code in rows["basis"]]),
        Field("公顷", [int(v) / 10_000 for v in rows["hectare_parts"]], _HECTARES),
    ]
    parcels = Listing(
        "plan_parcels",
        f"{plan.year}年供应计划地块",
        detail,
        records_of(rows.reset_index()),
        ["合计", f"{count} 宗", *[None] * 6, hectares],
        notes,
    )
    left = plan.undated.reset_index(names="parcel_id")
    undated = table_of(
        "undated",
        "未列入计划",
        left,
        list(left.columns),
        {},
        notes=["未供，但既没有计划供应日，也算不出最早具备条件的日期的地块。"],
    )
    return [table, parcels, undated]


def list_shares(shares: pd.DataFrame, exceptions: pd.DataFrame, period: str) -> list[Listing]:
    """
    Lay the share of 标准地 out, with the exceptions.

    Parameters
    ----------
    shares, exceptions : DataFrame
        As ``share_standard`` gives them.
    period : str
        The period in words.

    Returns
    -------
    list of Listing
        标准地占比, 例外.
    """
    words: list[Cell] = ["按宗", "按亩"]
    fields = [Field("口径", words)]
    for name, title in (
        ("sold", "期内出让"),
        ("required", "应以标准地供应"),
        ("standard", "以标准地供应"),
        ("doubtful", "不明"),
    ):
        values: list[Cell] = [
            _count(shares, "parcels", name),
            _count(shares, "hundredths", name) / 100,
        ]
        fields.append(Field(title, values, ["0", AREA_FORMAT]))
    for name, title in (
        ("share_least", "占比（不明按未以标准地计）"),
        ("share_most", "占比（不明按已以标准地计）"),
    ):
        rates: list[Cell] = ["没有应供" if pd.isna(v) else f"{say_share(float(v))}%" for v in shares[name]]
        fields.append(Field(title, rates))
    notes = [
        f"{period}。应以标准地供应的范围由 scope 登记表规定（开发区类型、用途、起始日），按出让当日判断。"
    ]
    first = Listing(
        "share",
        "标准地占比",
        fields,
        records_of(shares.reset_index()),
        None,
        notes,
        {"exceptions": records_of(exceptions)},
    )
    answer = {"yes": "应", "no": "不要求", "unknown": "不明"}
    flag = {True: "是", False: "否"}
    detail = [
        Field("地块编号", _texts(exceptions["parcel_id"])),
        Field("出让日期", _days(exceptions["on"])),
        Field("文号", _texts(exceptions["document"])),
        Field("应以标准地供应", [answer[code] for code in exceptions["required"]]),
        Field(
            "以标准地供应", ["不明" if pd.isna(v) else flag[bool(v)] for v in exceptions["sold_as_standard"]]
        ),
        Field("亩", [mu_of(v) for v in exceptions["hundredths"]], AREA_FORMAT),
    ]
    second = Listing("exceptions", "例外和不明", detail, records_of(exceptions), None, notes)
    return [first, second]


def list_zones(
    register: pd.DataFrame,
    totals: pd.DataFrame,
    credits: pd.DataFrame,
    change: tuple[BoundaryChange, pd.DataFrame, pd.DataFrame] | None = None,
) -> list[Listing]:
    """
    Lay the register of zones out, and what a change of boundaries means.

    Parameters
    ----------
    register, totals : DataFrame
        As ``register_zones`` gives them.
    credits : DataFrame, indexed by zone_code
        As ``credit_enclaves`` gives.
    change : tuple or None
        The change as measured, its zones and its parcels as ``compare_zones`` gives them.

    Returns
    -------
    list of Listing
        开发区名录, 级别和类型, 地块与飞地; with a change 边界变化 and 涉及地块.
    """
    named = register.set_index("zone_code")["zone_name"].to_dict()
    fields = [
        *fields_of(register, ["zone_code", "zone_name", "zone_level", "zone_kind"], {}),
        Field("批准面积（平方公里）", _km2(register["area_planned_m2"]), _SQUARE),
        Field("图上面积（平方公里）", _km2(register["area_m2"]), _SQUARE),
        Field("图上 － 批准（平方公里）", _km2(register["area_difference_m2"]), _SQUARE),
    ]
    last = totals.iloc[-1]
    end: list[Cell] = [
        "合计",
        f"{int(last['zones'])} 个",
        None,
        None,
        *_km2(last[["area_planned_m2", "area_m2"]]),
        None,
    ]
    first = Listing(
        "zones",
        "开发区名录",
        fields,
        records_of(register),
        end,
        ["没有批准面积或图形的开发区不计入相应合计。"],
    )
    kinds = totals.iloc[:-1]
    by_kind = Listing(
        "zone_kinds",
        "级别和类型",
        [
            Field("级别", [word_of("zone_level", v) or "（未填）" for v in kinds["zone_level"]]),
            Field("类型", [v or "（未填）" for v in kinds["zone_kind"]]),
            Field("个数", kinds["zones"].tolist(), COUNT_FORMAT),
            Field("批准面积（平方公里）", _km2(kinds["area_planned_m2"]), _SQUARE),
            Field("图上面积（平方公里）", _km2(kinds["area_m2"]), _SQUARE),
        ],
        records_of(totals),
        ["合计", None, int(last["zones"]), *_km2(last[["area_planned_m2", "area_m2"]])],
    )
    share = Listing(
        "enclaves",
        "地块与飞地",
        [
            Field("开发区代码", [code or "区外" for code in credits.index.astype("str")]),
            Field("开发区", [named.get(code, "") for code in credits.index]),
            Field("宗", credits["parcels"].tolist(), COUNT_FORMAT),
            Field("所在面积（亩）", [mu_of(v) for v in credits["hundredths"]], AREA_FORMAT),
            Field("分成后面积（亩）", [mu_of(v) for v in credits["credited_hundredths"]], AREA_FORMAT),
            Field("分成比例不明", ["是" if v else "" for v in credits["is_share_unknown"]]),
        ],
        records_of(credits.reset_index()),
        [
            "合计",
            None,
            int(credits["parcels"].sum()),
            mu_of(credits["hundredths"].sum()),
            mu_of(credits["credited_hundredths"].sum()),
            None,
        ],
        ["每宗地只在所在开发区计一次；飞地面积按比例计给归属开发区，两列合计相等。", BOOK_RULE[0]],
    )
    listings = [first, by_kind, share]
    if change is not None:
        listings += _changes(*change)
    return listings


def _changes(measured: BoundaryChange, zones: pd.DataFrame, parcels: pd.DataFrame) -> list[Listing]:
    period = f"{measured.day_before.isoformat()} 与 {measured.day_after.isoformat()} 的边界相比"

    def told(row: Any) -> str:
        said = []
        for name in filter(None, str(row["facts_changed"]).split("、")):
            was, now = row[f"{name}_before"], row[f"{name}_after"]
            if name == "area_planned_m2":
                was, now = (
                    "无" if pd.isna(v) else f"{convert(float(v), 'm2', '平方公里'):g} 平方公里"
                    for v in (was, now)
                )
            said.append(
                f"{column(name).label()}：{'无' if pd.isna(was) else was} → {'无' if pd.isna(now) else now}"
            )
        return "；".join(said)

    fields = [
        Field("开发区代码", zones.index.astype("str").tolist()),
        Field("开发区", _texts(zones["zone_name_after"].fillna(zones["zone_name_before"]))),
        Field("原图上面积（平方公里）", _km2(zones["area_before_m2"]), _SQUARE),
        Field("现图上面积（平方公里）", _km2(zones["area_after_m2"]), _SQUARE),
        Field("调入（平方公里）", _km2(zones["gained_m2"]), _SQUARE),
        Field("调出（平方公里）", _km2(zones["lost_m2"]), _SQUARE),
        Field("调入地块（宗）", zones["parcels_gained"].tolist(), COUNT_FORMAT),
        Field("调入地块（亩）", [mu_of(v) for v in zones["hundredths_gained"]], AREA_FORMAT),
        Field("调出地块（宗）", zones["parcels_lost"].tolist(), COUNT_FORMAT),
        Field("调出地块（亩）", [mu_of(v) for v in zones["hundredths_lost"]], AREA_FORMAT),
        Field("变化的登记事项", [told(row) for _, row in zones.iterrows()], widest=60),
    ]
    first = Listing(
        "boundary_change", "边界变化", fields, records_of(zones.reset_index()), None, [f"{period}。"]
    )
    words = {"gained": "调入", "lost": "调出", "moved": "换区", "share": "区内占比变化"}
    shares = [
        [None if pd.isna(v) else f"{say_share(float(v))}%" for v in parcels[name]]
        for name in ("share_before", "share_after")
    ]
    detail = [
        Field("地块编号", parcels.index.astype("str").tolist()),
        Field("变化", [words[code] for code in parcels["change"]]),
        Field("原开发区", [v if isinstance(v, str) else "区外" for v in parcels["zone_before"]]),
        Field("原区内占比", [*shares[0]]),
        Field("现开发区", [v if isinstance(v, str) else "区外" for v in parcels["zone_after"]]),
        Field("现区内占比", [*shares[1]]),
        Field("亩", [mu_of(v) for v in parcels["hundredths"]], AREA_FORMAT),
    ]
    second = Listing(
        "boundary_parcels",
        "涉及地块",
        detail,
        records_of(parcels.reset_index()),
        ["合计", f"{len(parcels)} 宗", *[None] * 4, mu_of(parcels["hundredths"].fillna(0).sum())],
        [f"{period}。换区的地块要按新开发区的规则集和评估清单重新评定。"],
    )
    return [first, second]
