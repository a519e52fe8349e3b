"""What a bureau keeps on top of the lists, laid out: reserve, batches, capacities, buildings, balance, differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.reports.lists import (
    AREA_FORMAT,
    AREA_NOTE,
    COUNT_FORMAT,
    Listing,
    mu_of,
    records_of,
    table_of,
    word_of,
)
from landplan.reports.page import Cell, Field
from landplan.schema import column
from landplan.supply.books import BOOK_RULE
from landplan.units import convert

if TYPE_CHECKING:
    from landplan.supply import Balance

__all__ = [
    "list_admissions", "list_balance", "list_batches", "list_buildings_of", "list_capacities", "list_differences", "list_reserve",
]  # fmt: skip

_BOTH = (("opening", "期初"), ("in", "转入"), ("out", "转出"), ("closing", "期末"))


def _count(frame: pd.DataFrame, row: str, name: str) -> int:
    return int(frame[name].loc[row])


def _days(values: pd.Series[Any]) -> list[Cell]:
    return [None if pd.isna(day) else pd.Timestamp(day).date() for day in values]


def _texts(values: pd.Series[Any]) -> list[Cell]:
    return [None if pd.isna(value) else str(value) for value in values]


def list_reserve(
    register: pd.DataFrame, years: pd.DataFrame, pace_years: int, titles: dict[str, str]
) -> list[Listing]:
    """
    Lay the register of the reserve out, and how long it lasts.

    Parameters
    ----------
    register, years : DataFrame
        As ``reserve_register`` and ``measure_supply_years`` give them.
    pace_years : int
        Years the pace is taken over.
    titles : dict of str to str
        Titles of layers and items.

    Returns
    -------
    list of Listing
        The register; years of supply by zone.
    """
    inside = register["exit_on"].isna().to_numpy(dtype=bool)
    area = int(register["mu_hundredths"][inside].fillna(0).sum()) / 100
    names = [
        "parcel_id",
        "parcel_name",
        "zone_name",
        "township",
        "area_m2",
        "admission",
        "admission_missing",
        "entry_on",
        "exit_on",
        "exit_cause",
        "age_days",
    ]
    first = table_of(
        "reserve",
        "标准地储备库",
        register,
        names,
        titles,
        sums={"parcel_name": f"在库 {int(inside.sum())} 宗", "area_m2": area},
        notes=["每行一次入库；合计只计仍在库的地块。" + BOOK_RULE[0]],
        more={"supply_years": records_of(years)},
    )
    zones: list[Cell] = [
        "合计" if code == "total" else str(name or code or "开发区外或未识别")
        for code, name in zip(years["zone_code"], years["zone_name"], strict=True)
    ]
    fields = [Field("开发区", zones)]
    for title, name in (
        ("在库", "reserve"),
        ("其中符合入库条件", "admitted"),
        (f"近 {pace_years} 年出让", "sold"),
    ):
        fields.append(Field(f"{title}（宗）", years[f"{name}_parcels"].tolist(), COUNT_FORMAT))
        fields.append(Field(f"{title}（亩）", [mu_of(v) for v in years[f"{name}_hundredths"]], AREA_FORMAT))
    pace = [None if pd.isna(v) else v / 100 for v in years["pace_hundredths"]]
    fields.append(Field("年均出让（亩/年）", [*pace], AREA_FORMAT))
    known: list[Cell] = ["未知" if pd.isna(v) else round(float(v), 2) for v in years["supply_years"]]
    fields.append(Field("可供应年数（年）", known, AREA_FORMAT))
    notes = [
        f"可供应年数 = 符合入库条件的在库面积 ÷ 近 {pace_years} 年年均出让面积；期内没有出让的，速度未知，不推算年数。"
    ]
    second = Listing("supply_years", "可供应年数", fields, records_of(years), None, notes)
    return [first, second]


def list_admissions(admitted: pd.DataFrame, titles: dict[str, str]) -> Listing:
    """
    Lay out for investors what has come into the reserve.

    Parameters
    ----------
    admitted : DataFrame, indexed by parcel_id
        As ``announce_admissions`` gives: public columns only.
    titles : dict of str to str
        Titles of layers and items.

    Returns
    -------
    Listing
        One row per parcel; what is empty throughout is left out.
    """
    frame = admitted.reset_index(names="parcel_id")
    frame = frame[[name for name in frame.columns if name == "parcel_id" or frame[name].notna().any()]]
    area = convert(float(admitted["area_m2"].sum()), "m2", "亩") if "area_m2" in admitted.columns else None
    sums: dict[str, Cell] = {"parcel_name": f"{len(frame)} 宗", "area_m2": area}
    return table_of(
        "admissions", "新入库标准地", frame, list(frame.columns), titles, sums=sums, notes=[AREA_NOTE]
    )


def list_batches(board: pd.DataFrame, titles: dict[str, str]) -> Listing:
    """
    Lay the board of batches out.

    Parameters
    ----------
    board : DataFrame, indexed by batch_no
        As ``board_batches`` gives.
    titles : dict of str to str
        Titles of items.

    Returns
    -------
    Listing
        One row per batch.
    """
    frame = board.reset_index()
    sums: dict[str, Cell] = {
        "batch_name": f"{len(frame)} 个批次",
        "batch_parcels": int(frame["batch_parcels"].sum()),
    }
    notes = [
        "已历天数为日历天；到期日按工作日计，没有办理天数或工作日历的不计。面积空白的批次有地块没有图形或面积。"
    ]
    names = ["batch_no", *[n for n in frame.columns if n != "batch_no"]]
    return table_of("batches", "报批批次", frame, names, titles, sums=sums, notes=notes)


def list_capacities(headroom: pd.DataFrame, titles: dict[str, str]) -> Listing:
    """
    Lay the capacities of the nodes out.

    Parameters
    ----------
    headroom : DataFrame
        As ``measure_headroom`` gives.
    titles : dict of str to str
        Titles of items.

    Returns
    -------
    Listing
        One row per resource and node.
    """
    first = ["resource", "node", "zone_code", "unit", "capacity", "used", "committed", "reserved", "headroom"]
    names = [*first, *(n for n in headroom.columns if n not in first)]
    notes = [
        "余量 = 容量 － 已用 － 已承诺 － 已预留（含有效占用），按各行单位；任一项未知则余量未知；超过一季度未更新的标明过期。"
    ]
    return table_of("capacity", "要素容量台账", headroom, names, titles, notes=notes)


def list_buildings_of(buildings: pd.DataFrame, usage: pd.DataFrame, titles: dict[str, str]) -> Listing:
    """
    Lay buildings out, with their rate of use.

    Parameters
    ----------
    buildings : DataFrame
        As ``list_buildings`` gives.
    usage : DataFrame
        As ``measure_usage`` gives; its last row is the whole.
    titles : dict of str to str
        Titles of items.

    Returns
    -------
    Listing
        One row per building and storey.
    """
    frame = buildings.reset_index(drop="building_id" in buildings.columns)
    first = ["building_id", "storey", "building_name", "building_kind", "parcel_id", "zone_code"]
    names = [*first, *(n for n in frame.columns if n not in (*first, "source", "source_row"))]
    whole = usage.iloc[-1] if len(usage) else None
    rate = "" if whole is None or pd.isna(whole["usage_printed"]) else f"总使用率 {whole['usage_printed']}。"
    notes = [f"{rate}使用率 = 已使用面积 ÷ 建成面积；只计两项面积都有的厂房。"]
    return table_of(
        "buildings", "厂房楼宇台账", frame, names, titles, notes=notes, more={"usage": records_of(usage)}
    )


def list_balance(balance: Balance, doubles: pd.DataFrame | None = None) -> list[Listing]:
    """
    Lay the balance of a period out: classes, flows, the moves they open to, and what does not agree.

    Parameters
    ----------
    balance : Balance
        As ``balance_period`` gives.
    doubles : DataFrame or None
        Land claimed by two parcels, as ``measure_doubles`` gives.

    Returns
    -------
    list of Listing
        收支平衡, 变动汇总, 变动明细, 核对.
    """
    period = f"{balance.start.isoformat()} 至 {balance.end.isoformat()}"
    table = balance.classes.drop(index="total")
    fields = [Field("存量类型", [word_of("stock_kind", kind) for kind in table.index])]
    total: list[Cell] = ["合计"]
    for name, title in _BOTH:
        fields.append(Field(f"{title}（宗）", table[f"{name}_parcels"].tolist(), COUNT_FORMAT))
        fields.append(Field(f"{title}（亩）", [mu_of(v) for v in table[f"{name}_hundredths"]], AREA_FORMAT))
        total += [
            _count(balance.classes, "total", f"{name}_parcels"),
            mu_of(balance.classes.at["total", f"{name}_hundredths"]),
        ]
    fields.append(Field("其中无面积（宗）", table["unmeasured"].tolist(), COUNT_FORMAT))
    total.append(_count(balance.classes, "total", "unmeasured"))
    notes = [f"{period}，首尾两日都计入。期初 + 转入 － 转出 = 期末，按宗和 0.01 亩逐类相等。", BOOK_RULE[0]]
    rows = balance.classes.reset_index()
    more = {"start": balance.start.isoformat(), "end": balance.end.isoformat()}
    classes = Listing(
        "balance",
        "收支平衡",
        fields,
        records_of(rows),
        total,
        notes,
        more
        | {
            "flows": records_of(balance.flows),
            "moves": records_of(balance.moves),
            "breaks": records_of(balance.breaks),
        },
    )
    flows = Listing(
        "flows",
        "变动汇总",
        [*_ends(balance.flows), *_amounts(balance.flows)],
        records_of(balance.flows),
        ["合计", None, None, int(balance.flows["parcels"].sum()), mu_of(balance.flows["hundredths"].sum())],
        ["每行可在“变动明细”中展开到地块和事项。"],
    )
    moves = balance.moves
    detail = [
        Field(column("parcel_id").label(), _texts(moves["parcel_id"])),
        Field("日期", _days(moves["on"])),
        *_ends(moves),
        Field(column("document").label(), _texts(moves["document"])),
        *_amounts(moves),
        Field("来源", _texts(moves["source"])),
        Field("来源行", [None if pd.isna(v) else int(v) for v in moves["source_row"]], COUNT_FORMAT),
    ]
    ends: list[Cell] = [
        "合计",
        None,
        None,
        None,
        None,
        None,
        int(moves["parcels"].sum()),
        mu_of(moves["hundredths"].sum()),
        None,
        None,
    ]
    return [
        classes,
        flows,
        Listing("moves", "变动明细", detail, records_of(moves), ends, notes[:1]),
        _checks(balance, doubles),
    ]


def _ends(frame: pd.DataFrame) -> list[Field]:
    return [
        Field("转出类型", [word_of("from_kind", code) for code in frame["from_kind"]]),
        Field("转入类型", [word_of("to_kind", code) for code in frame["to_kind"]]),
        Field("变动原因", [word_of("cause", code) for code in frame["cause"]]),
    ]


def _amounts(frame: pd.DataFrame) -> list[Field]:
    return [
        Field("宗", frame["parcels"].tolist(), COUNT_FORMAT),
        Field("亩", [mu_of(v) for v in frame["hundredths"]], AREA_FORMAT),
    ]


def _checks(balance: Balance, doubles: pd.DataFrame | None) -> Listing:
    """Rows of the books that the papers do not bear out, and land that is counted twice because two parcels claim it."""
    rows: list[dict[str, Any]] = [
        {
            "kind": word_of("cause", row["cause"]),
            "parcel_id": row["parcel_id"],
            "other": "",
            "was": _told(row["was"]),
            "now": _told(row["now"]),
            "mu": mu_of(row["hundredths"]),
        }
        for row in balance.breaks.to_dict("records")
    ]
    if doubles is not None:
        rows += [
            {
                "kind": "图形重叠（面积重复计算）",
                "parcel_id": row["parcel_id"],
                "other": row["other_id"],
                "was": word_of("stock_kind", row["stock_kind"]),
                "now": word_of("stock_kind", row["other_kind"]),
                "mu": convert(float(row["overlap_m2"]), "m2", "亩"),
            }
            for row in doubles.to_dict("records")
        ]
    for kind, row in balance.classes.iterrows():
        drawn, booked = convert(float(row["closing_m2"]), "m2", "亩"), int(row["closing_hundredths"]) / 100
        what = "合计" if kind == "total" else word_of("stock_kind", kind)
        rows.append(
            {
                "kind": f"图形面积合计与计账面积：{what}",
                "parcel_id": "",
                "other": "",
                "was": f"{drawn:.4f}",
                "now": f"{booked:.2f}",
                "mu": round(drawn - booked, 4),
            }
        )
    frame = pd.DataFrame(rows, columns=["kind", "parcel_id", "other", "was", "now", "mu"])
    titles = ("核对事项", "地块编号", "另一地块", "原为（亩或类型）", "现为（亩或类型）")
    fields = [
        Field(title, _texts(frame[name]))
        for title, name in zip(titles, frame.columns[:5].tolist(), strict=True)
    ]
    fields.append(Field("亩", [None if pd.isna(v) else float(v) for v in frame["mu"]], "#,##0.00##"))
    notes = [
        "与期初账不一致的地块、没有事项而类型变化的地块、面积变化的地块，以及两宗地块的图形重叠，逐宗列出。",
        "末尾几行为期末图形面积合计（不舍入）与计账面积（逐宗舍入）之差，每宗不超过 0.005 亩。",
    ]
    return Listing("checks", "核对", fields, records_of(frame), None, notes)


def _told(text: Any) -> str:
    known = column("stock_kind").values
    return column("stock_kind").word(text) if text in known else "" if pd.isna(text) else str(text)


def list_differences(differences: Sequence[tuple[str, pd.DataFrame, str]]) -> list[Listing]:
    """
    Lay the differences of lists out.

    Parameters
    ----------
    differences : sequence of (str, DataFrame, str)
        Kind of list, what ``diff_lists`` gives, and a note on what was compared.

    Returns
    -------
    list of Listing
        One per kind.
    """
    titles = {
        "stock": "存量清单变化",
        "incremental": "增量清单变化",
        "reserve": "储备清单变化",
        "books": "全部地块变化",
    }
    words = {"in": "列入", "out": "移出", "changed": "变动"}
    listings = []
    for kind, frame, note in differences:
        counts = {code: int((frame["change"] == code).sum()) for code in ("in", "out")}
        changed = frame["parcel_id"][(frame["change"] == "changed").to_numpy(dtype=bool)].nunique()
        fields = [
            Field("变化", [words[code] for code in frame["change"]]),
            Field("地块编号", _texts(frame["parcel_id"])),
            Field("原清单编号", _texts(frame["number_before"])),
            Field("现清单编号", _texts(frame["number_after"])),
            Field("变动字段", _texts(frame["field"])),
            Field("原为", _texts(frame["was"])),
            Field("现为", _texts(frame["now"])),
            Field(
                "面积（亩）",
                [None if pd.isna(v) else convert(float(v), "m2", "亩") for v in frame["area_m2"]],
                AREA_FORMAT,
            ),
            Field("原因", _texts(frame["why_zh"]), widest=60),
        ]
        summary = f"{note}：列入 {counts['in']} 宗，移出 {counts['out']} 宗，变动 {changed} 宗。"
        counted = counts | {"changed": changed}
        listings.append(
            Listing(
                f"diff_{kind}",
                titles[kind],
                fields,
                records_of(frame),
                None,
                [summary],
                {"counts": counted, "compared": note},
            )
        )
    return listings
