"""Lists as they leave the house: one table with its notes, its total and the line that says what it rests on."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from landplan.issues import clean_text
from landplan.reports.book import publish_report
from landplan.reports.page import Cell, Field, Page, fields_of
from landplan.schema import column
from landplan.supply import balance_supply, list_supply
from landplan.units import convert

if TYPE_CHECKING:
    from landplan.tables import Assessment

__all__ = [
    "AREA_FORMAT", "AREA_NOTE", "COUNT_FORMAT", "Listing", "cell_text", "list_as_csv", "list_rows", "listing_as_csv",
    "listing_as_json", "mu_of", "origin_line", "records_of", "safe_text", "table_of", "word_of", "write_listings",
]  # fmt: skip

AREA_NOTE = (
    "亩数由平方米换算（1 亩 = 2000/3 平方米），显示到 0.01；"
    "合计由平方米相加后换算，可能与各行显示值之和差 0.01。"
)
AREA_FORMAT, COUNT_FORMAT = "#,##0.00", "0"
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_FORMULA_MARKS = ("=", "+", "-", "@")
_TITLES = {"stock": "存量可出让土地清单", "incremental": "增量可报批土地清单", "books": "全部地块清单"}
_UNLISTED = ("zone_code", "supply_class", "supply_reason_en")


@dataclass(frozen=True)
class Listing:
    """
    One table to be handed out.

    Parameters
    ----------
    name : str
        What programs know it by.
    title : str
        What people call it; also the name of its sheet.
    fields : list of Field
        Its columns as people read them.
    records : list of dict
        Its rows for programs: canonical names and units, days as ISO text.
    total : sequence of Cell or None
        The row under it.
    notes : sequence of str
        Small print.
    more : dict
        Other things for programs.
    """

    name: str
    title: str
    fields: list[Field]
    records: list[dict[str, Any]]
    total: Sequence[Cell] | None = None
    notes: Sequence[str] = ()
    more: dict[str, Any] = field(default_factory=dict)


def word_of(name: str, code: Any) -> str:
    """
    Say the code of a category in words.

    Parameters
    ----------
    name : str
        Column of the dictionary.
    code : object
        A code, or nothing.

    Returns
    -------
    str
        The word; empty for nothing.
    """
    return "" if pd.isna(code) or code == "" else column(name).word(str(code))


def mu_of(hundredths: Any) -> float | None:
    """
    Give 亩 for hundredths of them.

    Parameters
    ----------
    hundredths : int or missing
        As the books count.

    Returns
    -------
    float or None
        亩; None where unknown.
    """
    return None if pd.isna(hundredths) else int(hundredths) / 100


def origin_line(assessment: Assessment) -> str:
    """
    Say what a list rests on, in one line.

    Parameters
    ----------
    assessment : Assessment
        What was judged.

    Returns
    -------
    str
        Project, day, rulebooks with the day they were last checked, version; and that a sample is one.
    """
    told = assessment.provenance
    books = "、".join(f"{book.name}（核对于 {book.checked_on}）" for book in told.books)
    sample = "示例数据，不作依据。" if told.is_sample else ""
    parts = [told.project, f"评定日 {told.as_of.isoformat()}", *([f"规则集 {books}"] if books else [])]
    return f"{sample}来源：{'，'.join(parts)}，landplan {told.version}"


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """
    Lay rows out for programs.

    Parameters
    ----------
    frame : DataFrame
        Without geometry.

    Returns
    -------
    list of dict
        Days as ISO text, missing as None, numbers to the last digit.
    """
    plain = {str(name): [_record(value) for value in frame[name].tolist()] for name in frame.columns}
    return [dict(zip(plain, values, strict=True)) for values in zip(*plain.values(), strict=True)]


def _record(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 - NaN
        return None
    return value.strftime("%Y-%m-%d") if isinstance(value, pd.Timestamp) else value


def table_of(
    name: str,
    title: str,
    frame: pd.DataFrame,
    names: Sequence[str],
    titles: dict[str, str],
    *,
    sums: Mapping[str, Cell] | None = None,
    notes: Sequence[str] = (),
    more: dict[str, Any] | None = None,
    audience: str = "planner",
) -> Listing:
    """
    Make a listing of columns of the dictionary.

    Parameters
    ----------
    name, title : str
        Of the listing.
    frame : DataFrame
        Canonical columns.
    names : sequence of str
        Which of them people see, in order.
    titles : dict of str to str
        Titles of layers and items.
    sums : mapping of str to Cell or None
        What stands under which column; under the first 合计.
    notes : sequence of str
        Small print.
    more : dict or None
        Other things for programs.
    audience : {"planner", "public"}
        ``public`` leaves out every column whose audience is ``planner``, for people and for programs.

    Returns
    -------
    Listing
        All columns of the frame for programs, those named for people.
    """
    if audience == "public":
        frame = frame[[one for one in frame.columns if column(str(one)).audience == "public"]]
    shown = [one for one in names if one in frame.columns]
    fields = fields_of(frame, shown, titles)
    total: list[Cell] | None = None
    if sums is not None:
        total = [sums.get(one) for one in shown]
        total[0] = "合计"
    return Listing(name, title, fields, records_of(frame), total, notes, more or {})


def list_rows(
    assessment: Assessment, kind: str, rows: pd.DataFrame | None = None, audience: str = "planner"
) -> Listing:
    """
    Make the listing of a supply list.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    kind : {"stock", "incremental", "books"}
        Which list.
    rows : DataFrame or None, indexed by parcel_id
        Some of its rows, as ``list_supply`` gives them; all where None.
    audience : {"planner", "public"}
        Who it is for.

    Returns
    -------
    Listing
        The area in the last row is summed in m2, not from the rounded 亩 above it.

    Raises
    ------
    UsageError
        If there is no such list.
    """
    listed = list_supply(assessment, kind) if rows is None else rows
    frame = pd.DataFrame(listed).reset_index(names="parcel_id")
    sums: dict[str, Cell] = {"parcel_name": f"{len(frame)} 宗"}
    for name in ("area_m2", "area_registered_m2"):
        if name in frame.columns:
            sums[name] = convert(float(frame[name].sum()), "m2", "亩")
    shown = [
        name
        for name in frame.columns
        if name not in _UNLISTED or (kind == "books" and name == "supply_class")
    ]
    balance = balance_supply(assessment).reset_index().to_dict("records")
    return table_of(
        kind,
        _TITLES[kind],
        frame,
        shown,
        assessment.provenance.titles,
        sums=sums,
        notes=[AREA_NOTE],
        more={} if audience == "public" else {"balance": balance},
        audience=audience,
    )


def listing_as_json(listing: Listing, assessment: Assessment) -> str:
    """
    Lay a listing out as JSON.

    Parameters
    ----------
    listing : Listing
        The table.
    assessment : Assessment
        What it rests on.

    Returns
    -------
    str
        ``schema_version, as_of, list, origin, rows`` and what else the listing has for programs.
    """
    data = {
        "schema_version": "1",
        "as_of": assessment.provenance.as_of.isoformat(),
        "list": listing.name,
        "origin": origin_line(assessment),
        "rows": listing.records,
        **listing.more,
    }
    return json.dumps(data, ensure_ascii=False, indent=2, default=str)


def _digits(number: str) -> tuple[int, int]:
    """Decimals a number format always shows, two at least, and those it shows at most."""
    part = re.sub(r"[^0#].*", "", number.split(";", maxsplit=1)[0].partition(".")[2])
    least = max(part.count("0"), 2)
    return least, max(len(part), least)


def cell_text(value: Cell, number: str = "", *, is_grouped: bool = False) -> str:
    """
    Write one cell as text: days as ISO, numbers with the decimals of their format.

    Parameters
    ----------
    value : Cell
        What stands in it.
    number : str, default ""
        Number format of Excel.
    is_grouped : bool, default False
        Whether thousands are set apart by commas.

    Returns
    -------
    str
        On one line.
    """
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        least, most = _digits(number)
        text = f"{round(value, most) + 0.0:{',' if is_grouped else ''}.{most}f}"
        return text[: len(text) - (most - least)] + text[len(text) - (most - least) :].rstrip("0")
    return clean_text(str(value))


def safe_text(text: str) -> str:
    """
    Keep Excel from running a text of a CSV as a formula.

    Parameters
    ----------
    text : str
        What stands in a cell.

    Returns
    -------
    str
        With an apostrophe before it where it begins as a formula does and is no number.
    """
    return f"'{text}" if text[:1] in _FORMULA_MARKS and not _NUMBER.fullmatch(text) else text


def listing_as_csv(listing: Listing, assessment: Assessment) -> str:
    """
    Lay a listing out as CSV.

    Parameters
    ----------
    listing : Listing
        The table.
    assessment : Assessment
        What it rests on.

    Returns
    -------
    str
        A header with units, one row per row, and a last row (合计) in whose last free cell stands what the list rests on.
        Text that Excel would run as a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([item.header.replace("\n", "") for item in listing.fields])
    columns = [
        [
            safe_text(cell_text(value, number))
            for value, number in zip(item.values, item.numbers(), strict=True)
        ]
        for item in listing.fields
    ]
    writer.writerows(zip(*columns, strict=True))
    total: Sequence[Cell] = listing.total or ["", *[None] * (len(listing.fields) - 1)]
    numbers = [item.number if isinstance(item.number, str) else "" for item in listing.fields]
    last = [safe_text(cell_text(value, number)) for value, number in zip(total, numbers, strict=True)]
    # Within the table, not below it: a line of another width would be no CSV to many a program.
    blank = next((at for at in range(len(last) - 1, 0, -1) if not last[at]), None)
    if blank is None:
        last[0] = f"{last[0]} {origin_line(assessment)}".strip()
    else:
        last[blank] = origin_line(assessment)
    writer.writerow(last)
    return out.getvalue()


def list_as_csv(assessment: Assessment, kind: str) -> str:
    """
    Lay a supply list out as CSV.

    Parameters
    ----------
    assessment : Assessment
        What was judged.
    kind : {"stock", "incremental"}
        Which list.

    Returns
    -------
    str
        A header with units, one row per parcel with its reason, and a last row 合计 whose area is summed in m2, not
        from the rounded 亩 above it, and which says what the list rests on. Text that Excel would run as a formula begins
        with an apostrophe.

    Raises
    ------
    UsageError
        If there is no such list.
    """
    return listing_as_csv(list_rows(assessment, kind), assessment)


def write_listings(listings: Sequence[Listing], assessment: Assessment, path: Path, title: str) -> Path:
    """
    Write listings as a workbook, one sheet each.

    Parameters
    ----------
    listings : sequence of Listing
        The tables.
    assessment : Assessment
        What they rest on.
    path : Path
        Name of the file, ending in ``.xlsx``; a former one is replaced in one step.
    title : str
        Of the workbook.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    StoreError
        If the place cannot be written, or the file is open in Excel or WPS; the old one stays.
    """
    told, origin = assessment.provenance, origin_line(assessment)

    def fill(listing: Listing) -> Any:
        def draw(page: Page) -> None:
            page.fit(listing.fields)
            span = min(len(listing.fields), 10)
            page.title(listing.title, [*listing.notes, origin], span=span, is_sample=told.is_sample)
            left_over = page.table(listing.fields, total=listing.total)
            if left_over:
                page.write(page.row, 0, f"另有 {left_over} 行超出工作表上限，请用 CSV。", bold=True)
                page.row += 1

        return draw

    fills = {listing.title[:31]: fill(listing) for listing in listings}
    return publish_report(path, fills, assessment, title)
