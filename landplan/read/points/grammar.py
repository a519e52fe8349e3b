"""The lines of a file of boundary points: descriptions, plots and points; what is none of them is said."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from landplan.issues import Issue

__all__ = ["GRAPHICS", "Block", "Exchange", "Plot", "Point", "parse_lines", "plain_number"]

GRAPHICS = {"面": "面", "线": "线", "点": "点"}

_SECTION = re.compile(r"[\[【［〔]\s*(.{1,20}?)\s*[\]】］〕]")
_KEY = re.compile(r"([^=:＝：,，]{1,20})[=:＝：](.*)")
_KEYS = (
    "格式版本号", "数据产生单位", "数据产生日期", "坐标系", "几度分带", "投影类型", "计量单位", "带号", "精度",
    "转换参数",
)  # fmt: skip
_PLAIN = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]*)?")
_RING = re.compile(r"[0-9]{1,6}")
_COMMENT = ("#", "//", ";")
_BLANKS = " \t\ufeff\u3000\u00a0\x00\x1a\x0b\x0c"  # ^Z still ends files that DOS programs write
_MOST_HEIGHT = 9_000.0
_FEWEST, _MOST = 8, 14  # columns of a line of a plot, @ included: 9 in the 2007 text, 13 and @ in local ones
_SHOWN, _SHOWN_LINES = 60, 5


@dataclass(frozen=True)
class Point:
    """One point as listed: line, name, ring, and the columns X and Y (northing and easting, or swapped)."""

    line: int
    name: str
    ring: str
    x: float
    y: float


@dataclass
class Plot:
    """
    One plot as listed.

    Parameters
    ----------
    line : int
        Line of its header; of its first point where it has none.
    count, area, number, name, graphic, sheet, use, code : str
        Cells of the header, stripped; empty where there is none.
    extras : list of str
        Cells behind the eighth.
    points : list of Point
        In the order of the file.
    is_bad : bool
        Whether one of its lines cannot be read.
    """

    line: int
    count: str = ""
    area: str = ""
    number: str = ""
    name: str = ""
    graphic: str = "面"
    sheet: str = ""
    use: str = ""
    code: str = ""
    extras: list[str] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    is_bad: bool = False


@dataclass
class Block:
    """One description and its plots; ``keys`` gives the line and the value of every item."""

    line: int
    keys: dict[str, tuple[int, str]] = field(default_factory=dict)
    plots: list[Plot] = field(default_factory=list)

    def value(self, key: str) -> str:
        """Give what an item says, in plain characters; empty where it says nothing."""
        return unicodedata.normalize("NFKC", self.keys.get(key, (0, ""))[1]).strip()

    def line_of(self, key: str) -> int:
        """Give the line of an item; that of the description where it is absent."""
        return self.keys.get(key, (self.line, ""))[0]


@dataclass
class Exchange:
    """A whole file: its blocks, whether it is an exchange file at all, and what was wrong with its lines."""

    blocks: list[Block] = field(default_factory=list)
    is_exchange: bool = False
    issues: list[Issue] = field(default_factory=list)


def plain_number(text: str) -> float | None:
    """
    Read a coordinate: digits and one point, nothing else.

    Parameters
    ----------
    text : str
        One cell.

    Returns
    -------
    float or None
        None for anything else: an exponent has lost its digits, ``1_000`` and ``nan`` were never surveyed.

    Examples
    --------
    >>> plain_number(" 2582988.976"), plain_number("3.85E+07"), plain_number("258298 8.976")
    (2582988.976, None, None)
    """
    return float(text) if _PLAIN.fullmatch(text := text.strip()) else None


class _Parser:
    """Walks through the lines once; remembers the block and the plot it is in."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.exchange = Exchange()
        self.place = ""
        self.plot: Plot | None = None
        self.wide: list[int] = []
        self.heights = 0
        self.strays: list[tuple[int, str]] = []

    def report(self, code: str, row: int, value: object, cell: str = "") -> None:
        self.exchange.issues.append(Issue(code, source=self.source, row=row, cell=cell, value=value))

    def block(self, line: int) -> Block:
        if not self.exchange.blocks:
            self.exchange.blocks.append(Block(line))
        return self.exchange.blocks[-1]

    def take(self, line: int, text: str) -> None:
        section = _SECTION.fullmatch(text)
        if section:
            name = re.sub(r"\s", "", section.group(1))
            self.plot = None
            self.place = name if name in {"属性描述", "地块坐标"} else "other"
            if name == "属性描述":
                self.exchange.blocks.append(Block(line))
            if self.place != "other":
                self.block(line)
                self.exchange.is_exchange = True
            return
        if self.place != "other" and self._is_header(text):
            self.exchange.is_exchange = True
            self.place = "地块坐标"
            self.header(line, text)
            return
        point, is_wide, has_height = _point(line, text)
        if self.place == "地块坐标" or (self.place == "属性描述" and point is not None):
            self.place = "地块坐标"
            self.point(line, text, point, is_wide, has_height)
        elif self.place == "other":
            return
        elif (found := _KEY.match(text)) and (self.place or found.group(1).strip() in _KEYS):
            self.block(line).keys.setdefault(found.group(1).strip(), (line, found.group(2).strip()))
        elif self.place == "属性描述":
            self.report("TXT.HEADER", line, text[:_SHOWN])
        else:
            self.strays.append((line, text))

    @staticmethod
    def _is_header(text: str) -> bool:
        cells = [cell.strip() for cell in re.split("[,，]", text)]
        if cells[-1] in {"@", "＠"} or (len(cells) > 1 and cells[-1] == "" and cells[-2] in {"@", "＠"}):
            return True
        return len(cells) >= 6 and any(cell in GRAPHICS for cell in cells[3:7])

    def header(self, line: int, text: str) -> None:
        cells = [cell.strip() for cell in text.split(",")]
        wide = False
        if not _RING.fullmatch(cells[0]) and ("，" in text or "＠" in text or not cells[0].isascii()):
            cells = [cell.strip() for cell in text.replace("，", ",").replace("＠", "@").split(",")]
            cells[:2] = [unicodedata.normalize("NFKC", cell.replace("。", ".")) for cell in cells[:2]]
            wide = True
        elif cells[-1] == "＠" or cells[-1].endswith(("，@", "，＠")):
            head, _, _ = cells.pop().rpartition("，")
            cells += [*([head] if head else []), "@"]
            wide = True
        if wide:
            self.wide.append(line)
        while len(cells) > 1 and cells[-1] == "" and "@" in cells:
            cells.pop()
        width = len(cells)
        trouble = [] if _FEWEST <= width <= _MOST else [f"{width} 列"]
        if cells[-1] == "@":
            cells.pop()
        else:
            trouble.append("没有 @")
        trouble += _align(cells)
        if not _RING.fullmatch(cells[0]):
            trouble.append(f"界址点数 {cells[0] or '空'}")
        cells += [""] * (8 - len(cells))
        count, area, number, name, graphic, sheet, use, code, *extras = cells
        self.plot = Plot(line, count, area, number, name, graphic, sheet, use, code, extras)
        self.block(line).plots.append(self.plot)
        if trouble:
            self.report("TXT.HEADER", line, "，".join(trouble)[:_SHOWN])

    def point(self, line: int, text: str, point: Point | None, is_wide: bool, has_height: bool) -> None:
        if self.plot is None:
            # Some offices ask for coordinates only; rings are then all there is to tell parts by.
            self.plot = Plot(line)
            self.block(line).plots.append(self.plot)
            self.report("TXT.HEADER", line, "没有地块行")
        if point is None:
            self.plot.is_bad = True
            self.report("TXT.POINT", line, text[:_SHOWN], text.partition(",")[0].strip()[:20])
            return
        self.plot.points.append(point)
        self.heights += has_height
        if is_wide:
            self.wide.append(line)

    def close(self) -> Exchange:
        exchange = self.exchange
        if not exchange.is_exchange and len(self.strays) >= 3:
            # Bare lists of points carry no mark of their kind: every line must be one.
            points = [_point(line, text) for line, text in self.strays]
            if all(point is not None for point, _, _ in points):
                exchange.is_exchange = True
                for (line, text), found in zip(self.strays, points, strict=True):
                    self.point(line, text, *found)
        elif exchange.is_exchange:
            for line, text in self.strays:
                self.report("TXT.HEADER", line, text[:_SHOWN])
        if self.wide:
            more = f" 等 {len(self.wide)}" if len(self.wide) > _SHOWN_LINES else ""
            shown = "、".join(map(str, self.wide[:_SHOWN_LINES]))
            self.report("TXT.FULLWIDTH", self.wide[0], f"第 {shown}{more} 行")
        if self.heights:
            exchange.issues.append(Issue("GEOM.Z_DROPPED", source=self.source, value=self.heights))
        exchange.issues.sort(key=lambda issue: issue.row or 0)
        return exchange


def parse_lines(lines: list[str], source: str = "") -> Exchange:
    """
    Read the lines of a file of boundary points.

    Parameters
    ----------
    lines : list of str
        All lines, decoded, in order; their numbers count from 1.
    source : str, default ""
        Name of the file, for issues.

    Returns
    -------
    Exchange
        Not an exchange file where there is no section, no line of a plot, and not every line is a point.

    Examples
    --------
    >>> found = parse_lines(["[地块坐标]", "3,1.2,A-1,东地块,面,,,,@", "J1,1,10.0,20.0", "J2，1，10.0，30.0"])
    >>> found.blocks[0].plots[0].number, len(found.blocks[0].plots[0].points), found.issues[0].value
    ('A-1', 2, '第 4 行')
    """
    parser = _Parser(source)
    for number, line in enumerate(lines, 1):
        text = line.strip(_BLANKS)
        if text and not text.startswith(_COMMENT):
            parser.take(number, text)
    return parser.close()


def _align(cells: list[str]) -> list[str]:
    """Bring the word 面 to the fifth cell where a comma in a name or a missing cell moved it."""
    if len(cells) > 4 and cells[4] in GRAPHICS:
        return []
    at = next((k for k in range(3, min(len(cells), 9)) if cells[k] in GRAPHICS), None)
    if at is None:
        cells += [""] * (5 - len(cells))
        said, cells[4] = cells[4], "面"
        return [f"图形属性 {said}"] if said else []
    if at == 3:
        cells.insert(3, "")
        return ["缺一列"]
    cells[3 : at + 1] = [",".join(cells[3:at]), cells[at]]
    return ["名称中有逗号"]


def _point(line: int, text: str) -> tuple[Point | None, bool, bool]:
    """One line as a point, whether it was written in full-width characters, and whether it has a height."""
    found, height = _cells(line, text.split(","))
    if found is not None or text.isascii():
        return found, False, height
    plain = unicodedata.normalize("NFKC", text.replace("。", "."))
    found, height = _cells(line, plain.split(","))
    return found, True, height


def _cells(line: int, parts: list[str]) -> tuple[Point | None, bool]:
    cells = [part.strip() for part in parts]
    while len(cells) > 4 and cells[-1] == "":
        cells.pop()
    if len(cells) not in (4, 5) or not _RING.fullmatch(cells[1]):
        return None, False
    x, y = plain_number(cells[2]), plain_number(cells[3])
    if x is None or y is None:
        return None, False
    if len(cells) == 5:
        height = plain_number(cells[4])
        if height is None or abs(height) > _MOST_HEIGHT:
            # A stray comma inside a coordinate makes five numbers too.
            return None, False
    return Point(line, cells[0], str(int(cells[1])), x, y), len(cells) == 5
