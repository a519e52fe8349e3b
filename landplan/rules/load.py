"""Rulebooks by name, with those they extend: the stricter wins, and loosening is said aloud."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from landplan.errors import Fault, RulebookError
from landplan.rules.model import Book, Rule, Rulebook
from landplan.rules.parse import Parsed, parse_book

__all__ = ["collect_rulebook", "load_rulebook"]

_SHIPPED = Path(__file__).resolve().parent.parent / "rulebooks"
_NAME = re.compile(r"[\w-]+(\.[\w-]+)*")


def load_rulebook(name_or_path: str | Path, folders: Sequence[str | Path] = ()) -> Rulebook:
    """
    Load a rulebook and those it extends.

    Parameters
    ----------
    name_or_path : str or Path
        A dotted name, e.g. ``cn.shanxi``, which is a path below a folder of rulebooks; or a path to a YAML
        file.
    folders : sequence of str or Path, default ()
        Searched in order, before the rulebooks that come with landplan.

    Returns
    -------
    Rulebook
        Books from the nation down, and the rules that count under each name.

    Raises
    ------
    RulebookError
        If a book is not there, or anything in it or in those above it is wrong; every fault at once, with its
        file and line.

    Examples
    --------
    >>> [book.name for book in load_rulebook("cn.shanxi").books]
    ['cn.national-2023', 'cn.shanxi']
    """
    rulebook, faults = collect_rulebook(name_or_path, folders)
    if faults or rulebook is None:
        raise RulebookError(*faults)
    return rulebook


def collect_rulebook(
    name_or_path: str | Path, folders: Sequence[str | Path] = ()
) -> tuple[Rulebook | None, list[Fault]]:
    """
    Load a rulebook as far as it goes, and say everything that is wrong.

    Parameters
    ----------
    name_or_path : str or Path
        As for ``load_rulebook``.
    folders : sequence of str or Path, default ()
        As for ``load_rulebook``.

    Returns
    -------
    tuple of (Rulebook or None, list of Fault)
        The rulebook, where it could be put together; no fault means it is fit to judge by.
    """
    wanted, at = str(name_or_path), ""
    searched = [*map(Path, folders), _SHIPPED]
    path = _locate(name_or_path, searched)
    books: list[Book] = []
    faults: list[Fault] = []
    seen: list[Path] = []
    broken: set[str] = set()
    while True:
        if path is None:
            faults.append(_not_found(wanted, at, searched))
            return None, faults
        if path.resolve() in seen:
            chain = " -> ".join([*(book.name for book in books), books[-1].extends])
            faults.append(
                Fault(
                    en=f"rulebooks extend each other in a circle: {chain}.",
                    zh=f"规则集循环引用：{chain}。",
                    at=at,
                    mend_en="take extends: out of one of them",
                    mend_zh="删去其中一个的 extends",
                )
            )
            return None, faults
        seen.append(path.resolve())
        parsed: Parsed = parse_book(path)
        faults += parsed.faults
        broken |= parsed.broken
        if parsed.book is None:
            return None, faults
        book = parsed.book
        if not books and book.name:
            # A book opened by its path is one of a folder of books: those it extends lie beside it.
            above = path.resolve().parents
            searched = [*map(Path, folders), above[min(book.name.count("."), len(above) - 1)], _SHIPPED]
        books.append(book)
        if not book.extends:
            break
        wanted, at = book.extends, parsed.extends_at
        path = _locate(wanted, searched) if _NAME.fullmatch(wanted) else None
    books.reverse()
    levels, clashes = _join(books, broken)
    return Rulebook(tuple(books), levels), faults + clashes


def _locate(name_or_path: str | Path, folders: Sequence[Path]) -> Path | None:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith((".yaml", ".yml")) or "/" in text or "\\" in text:
        path = Path(name_or_path)
        return path if path.is_file() else None
    if not _NAME.fullmatch(text):
        return None
    for folder in folders:
        path = folder.joinpath(*text.split(".")).with_suffix(".yaml")
        if path.is_file():
            return path
    return None


def _not_found(wanted: str, at: str, folders: Sequence[Path]) -> Fault:
    known = sorted(
        {
            ".".join(path.relative_to(folder).with_suffix("").parts)
            for folder in folders
            if folder.is_dir()
            for path in folder.rglob("*.yaml")
            if not path.name.endswith(".cases.yaml")
        }
    )
    return Fault(
        en=f"there is no rulebook {wanted!r}.",
        zh=f"找不到规则集“{wanted}”。",
        at=at,
        mend_en=f"use one of: {', '.join(known)}; or name the folder that holds it under [rules] folder",
        mend_zh=f"可用：{'、'.join(known)}；或在 [rules] folder 指明所在文件夹",
    )


def _join(
    books: Sequence[Book], broken: Collection[str]
) -> tuple[dict[str, tuple[tuple[Book, Rule], ...]], list[Fault]]:
    levels: dict[str, tuple[tuple[Book, Rule], ...]] = {}
    faults: list[Fault] = []
    for book in books:
        for rule_id, rule in book.rules.items():
            above = levels.get(rule_id, ())
            if rule.overrides:
                if not above and rule_id not in broken:
                    faults.append(
                        Fault(
                            en=f"rule {rule_id} overrides nothing: no book above has it.",
                            zh=f"规则 {rule_id} 写了 overrides，但上级规则集没有同名规则。",
                            at=rule.at,
                            mend_en="remove overrides:, or mend the name",
                            mend_zh="删去 overrides，或改正规则名",
                        )
                    )
                levels[rule_id] = ((book, rule),)
                continue
            for upper, other in above:
                if (rule.indicator, rule.basis, rule.test) != (other.indicator, other.basis, other.test):
                    faults.append(
                        Fault(
                            en=f"rule {rule_id} of {upper.name} is another: {other.indicator} {other.test}.",
                            zh=f"规则 {rule_id} 与 {upper.name} 的同名规则不是同一指标、口径或比较方式。",
                            at=rule.at,
                            mend_en="give it another name, or write overrides: true",
                            mend_zh="另起规则名，或写 overrides: true",
                        )
                    )
                    break
            levels[rule_id] = (*above, (book, rule))
    return levels, faults
