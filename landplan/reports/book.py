"""A workbook written whole, read back, and only then put in its place."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook
from xlsxwriter.exceptions import FileCreateError, FileSizeError

from landplan.errors import Fault, StoreError
from landplan.publish import publish
from landplan.reports.page import Page

if TYPE_CHECKING:
    from landplan.tables import Assessment

__all__ = ["publish_book", "publish_report"]

# Text stays text whatever it begins with.
_OPTIONS = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "in_memory": True,
}


def publish_book(
    path: Path,
    fills: Mapping[str, Callable[[Page], None]],
    *,
    title: str,
    author: str,
    day: date,
    footer: str,
) -> Path:
    """
    Write a workbook so that its name holds either the old content or the new, whole and read back.

    Parameters
    ----------
    path : Path
        Where it shall stand.
    fills : mapping of str to callable
        What fills each sheet, by its name, in order.
    title, author : str
        Properties of the file.
    day : date
        The day it is dated, never that of the clock: the same judgement gives the same bytes.
    footer : str
        Stands at the foot of every page.

    Returns
    -------
    Path
        The workbook.

    Raises
    ------
    StoreError
        If it cannot be written, is open in Excel or WPS, or does not read back as written; the old one stays.
    """
    heights: dict[str, int] = {}

    def write(target: Path) -> None:
        book = xlsxwriter.Workbook(str(target), _OPTIONS)
        book.set_properties({"title": title, "author": author, "created": datetime.combine(day, time.min)})
        for name, fill in fills.items():
            page = Page(book, name, footer)
            fill(page)
            heights[name] = page.height
        try:
            book.close()
        except FileCreateError as error:
            raise OSError(*error.args[0].args) from error
        except FileSizeError as error:
            raise StoreError(
                Fault(
                    en="the workbook would be larger than 4 GB.",
                    zh="工作簿超过 4 GB，无法写出。",
                    at=str(path),
                    mend_en="use the GeoPackage",
                    mend_zh="请使用 GeoPackage 结果。",
                )
            ) from error

    def verify(target: Path) -> None:
        try:
            with zipfile.ZipFile(target) as archive:
                broken = archive.testzip()
            book = CalamineWorkbook.from_path(str(target))
            ends = {name: book.get_sheet_by_name(name).end for name in book.sheet_names}
            read = {name: 0 if end is None else end[0] + 1 for name, end in ends.items()}
        except (zipfile.BadZipFile, CalamineError) as error:
            broken, read = str(error), {}
        if broken or read != heights:
            raise StoreError(
                Fault(
                    en=f"the workbook does not read back as written ({broken or read}).",
                    zh="工作簿写入后读回不一致；原文件未改动。",
                    at=str(path),
                    mend_en="check the disk and try again",
                    mend_zh="检查磁盘后重试。",
                )
            )

    return publish(path, write, verify)


def publish_report(
    path: Path,
    fills: Mapping[str, Callable[[Page], None]],
    assessment: Assessment,
    title: str,
    *,
    names_books: bool = True,
) -> Path:
    """
    Write a workbook that tells of an assessment: named, dated and footed by what it rests on.

    Parameters
    ----------
    path : Path
        Name of the file, ending in ``.xlsx``; a former one is replaced in one step.
    fills : mapping of str to callable
        As ``publish_book`` takes them.
    assessment : Assessment
        What was judged.
    title : str
        What the workbook is, after the name of the project.
    names_books : bool, default True
        Whether the foot of a page names the rulebooks.

    Returns
    -------
    Path
        The workbook.

    Raises
    ------
    StoreError
        As ``publish_book``, and if the name is that of something else.
    """
    path = Path(path)
    if path.suffix.lower() != ".xlsx":
        raise StoreError(
            Fault(en="a workbook ends in .xlsx.", zh="工作簿只能保存为 .xlsx 文件。", at=str(path))
        )
    told = assessment.provenance
    # Short: on a narrow sheet the foot of the page has room for half of what the head says.
    sample = "示例数据，不作依据  " if told.is_sample else ""
    books = f"规则集 {'、'.join(book.name for book in told.books)}  " if names_books else ""
    return publish_book(
        path,
        fills,
        title=f"{told.project} {title}",
        author=f"landplan {told.version}",
        day=told.as_of,
        footer=f"{sample}{told.project}  评定日 {told.as_of.isoformat()}  {books}landplan {told.version}",
    )
