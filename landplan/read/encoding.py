"""The encoding of text: what is declared is held against the bytes, what is not is judged by them."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from landplan.errors import Fault, UsageError
from landplan.issues import Issue

__all__ = ["ASCII_SAFE", "Decision", "decide_encoding", "decode_cell"]

# Spellings of .cpg files that Python does not know.
_NAMES = {
    "65001": "utf-8",
    "936": "gbk",
    "950": "cp950",
    "ansi936": "gbk",
    "ansi950": "cp950",
    "88591": "latin-1",
    "iso88591": "latin-1",
    "oem": "",
    "system": "",
}
# Files that name the smaller set hold characters of the larger one: 鎔 in GB2312, 鷄 (F9DA) in Big5.
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "big5": "cp950", "iso8859-1": "latin-1"}
_WIDE = ("gb18030", "cp950")
# Codecs in which a line feed is a line feed wherever it stands, so that many cells can be decoded at once.
ASCII_SAFE = frozenset(
    {"ascii", "utf-8", "gb18030", "gbk", "cp950", "big5", "latin-1", "iso8859-1", "cp1252", "cp1251"}
)
_BATCH = 50_000
_ENOUGH = 3


@dataclass(frozen=True)
class Decision:
    """
    How text is to be decoded.

    Parameters
    ----------
    encoding : str
        Name of a Python codec.
    how : str
        ``declared``, ``option``, ``profile``, ``content``, or ``format`` where the format knows one only.
    issues : tuple of Issue
        Why it was doubted or guessed.
    """

    encoding: str
    how: str
    issues: tuple[Issue, ...] = ()


def decide_encoding(
    texts: Iterable[bytes],
    *,
    declared: str = "",
    option: str | None = None,
    how: str = "option",
    source: str = "",
) -> Decision:
    """
    Decide how texts are encoded, over all of them and not over a sample.

    Parameters
    ----------
    texts : iterable of bytes
        Cells or lines as they stand in the file; the last character of each may be cut.
    declared : str, default ""
        What the file says of itself (``.cpg``, language id).
    option : str, optional
        What the user says; it is obeyed.
    how : str, default "option"
        Where the user says it.
    source : str, default ""
        Name of the file in issues.

    Returns
    -------
    Decision
        With ENC.GUESSED where nothing is declared, ENC.BAD where the declaration does not fit, and
        ENC.UNDECODABLE where nothing fits and the best is taken.

    Raises
    ------
    UsageError
        If the option is not an encoding.

    Examples
    --------
    >>> decide_encoding(["黑龙江省".encode("gbk")]).encoding
    'gb18030'
    >>> decide_encoding(["地块".encode()], declared="GBK").issues[0].code
    'ENC.BAD'
    """
    wide = [text for text in texts if not text.isascii()]
    if option:
        chosen = _codec(option)
        if not chosen:
            raise UsageError(
                Fault(
                    f"{option!r} is not an encoding.",
                    f"“{option}”不是编码名称。",
                    mend_en="use utf-8, gb18030 or big5",
                    mend_zh="可用 utf-8、gb18030、big5",
                )
            )
        return Decision(chosen, how, _undecodable(wide, chosen, source))
    said = _codec(declared)
    if not wide:
        return Decision(said or "utf-8", "declared" if said else "content")
    if _fits(wide, "utf-8"):
        if said in {"", "utf-8"}:
            guessed = () if said else (Issue("ENC.GUESSED", source=source, value="utf-8"),)
            return Decision("utf-8", "declared" if said else "content", guessed)
        return Decision("utf-8", "content", (_doubt(declared, "utf-8", source),))
    fits = bool(said) and _fits(wide, said)
    # A single-byte code page decodes anything, also 地块 as µØ¿é.
    if fits and said.startswith(("gb", "big5", "utf", "cp93", "cp94", "cp95", "euc", "shift")):
        return Decision(said, "declared")
    content = _widest(wide)
    if fits and (not content or not _is_chinese(wide, content)):
        return Decision(said, "declared")
    if not content:
        best = min(_WIDE, key=lambda name: sum(not _fits([text], name) for text in wide))
        return Decision(best, "content", _undecodable(wide, best, source))
    if said or declared:
        return Decision(content, "content", (_doubt(declared, content, source),))
    return Decision(content, "content", (Issue("ENC.GUESSED", source=source, value=content),))


def decode_cell(cell: bytes, encoding: str) -> tuple[str, str]:
    """
    Decode one cell and say what was lost.

    Parameters
    ----------
    cell : bytes
        As it stands in the file, without padding.
    encoding : str
        Name of a Python codec.

    Returns
    -------
    text : str
        Without the rest of a character cut at the end; other faults become U+FFFD.
    code : str
        ``ENC.CUT``, ``ENC.UNDECODABLE`` or empty.

    Examples
    --------
    >>> decode_cell("产业园".encode()[:-1], "utf-8")
    ('产业', 'ENC.CUT')
    """
    try:
        return cell.decode(encoding).strip(), ""
    except UnicodeDecodeError:
        text, used = _decode_whole(cell, encoding)
        if used and len(cell) - used < 4:
            return text.strip(), "ENC.CUT"
        return cell.decode(encoding, errors="replace").strip(), "ENC.UNDECODABLE"


def _codec(name: str) -> str:
    """Python's name of an encoding; empty where it is none or says nothing."""
    short = name.strip().lower().replace(" ", "").replace("-", "").replace("_", "")
    for known in (_NAMES.get(short, name.strip()), f"cp{short.removeprefix('ansi').removeprefix('windows')}"):
        try:
            found = codecs.lookup(known).name
        except (LookupError, ValueError):
            continue
        return _WIDER.get(found, found)
    return ""


def _decode_whole(cell: bytes, encoding: str) -> tuple[str, int]:
    """The characters that are whole at the beginning of a cell, and the bytes they take."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        text = decoder.decode(cell)
    except UnicodeError:  # also the lack of a mark at the beginning of UTF-16
        return "", 0
    rest = decoder.getstate()[0]
    # gb18030 keeps a lone lead byte in its state in another form on some builds; re-encoding tells for sure.
    return text, len(cell) - len(rest) if rest else len(text.encode(encoding))


def _fits(texts: list[bytes], encoding: str) -> bool:
    """Whether every text decodes, but for a character cut at its end, and not all of them are cut."""
    if encoding in ASCII_SAFE and texts:
        try:
            b"\n".join(texts).decode(encoding)
        except UnicodeDecodeError:
            pass
        else:
            return True
    is_any_whole = False
    for text in texts:
        fault = decode_cell(text, encoding)[1]
        if fault == "ENC.UNDECODABLE":
            return False
        is_any_whole |= not fault
    return is_any_whole


def _widest(texts: list[bytes]) -> str:
    """The double-byte encoding that fits all texts; where both do, the one that gives commoner characters."""
    fitting = [name for name in _WIDE if _fits(texts, name)]
    if len(fitting) < 2:
        return fitting[0] if fitting else ""
    return max(fitting, key=lambda name: _commonness(texts, name))


def _commonness(texts: list[bytes], encoding: str) -> float:
    """Share of double-byte characters that are punctuation or of the first, common level of the set."""
    common = total = 0
    for begin in range(0, len(texts), _BATCH):
        data = np.frombuffer(b"\n".join(texts[begin : begin + _BATCH]) + b"\n", dtype=np.uint8)
        is_high = data >= 0x81
        places = np.arange(data.size)
        # In a run of high bytes every second one leads; whatever ends a run, the next one begins with a lead.
        before = np.maximum.accumulate(np.where(is_high, -1, places))
        leads = np.flatnonzero(is_high & ((places - before) % 2 == 1))
        leads = leads[data[leads + 1] != 0x0A]
        lead, trail = data[leads], data[leads + 1]
        total += leads.size
        if encoding == "gb18030":
            is_common = ((lead >= 0xB0) & (lead <= 0xD7)) | ((lead >= 0xA1) & (lead <= 0xA3))
            common += int((is_common & (trail >= 0xA1)).sum())
        else:
            common += int(((lead >= 0xA1) & (lead <= 0xC6)).sum())
    return common / total if total else 0.0


def _is_chinese(texts: list[bytes], encoding: str) -> bool:
    pairs = sum(byte > 0x80 for text in texts for byte in text) // 2
    return pairs >= _ENOUGH and _commonness(texts, encoding) > 0.9


def _doubt(declared: str, found: str, source: str) -> Issue:
    return Issue("ENC.BAD", source=source, value=f"{declared} → {found}")


def _undecodable(texts: list[bytes], encoding: str, source: str) -> tuple[Issue, ...]:
    count = sum(decode_cell(text, encoding)[1] == "ENC.UNDECODABLE" for text in texts)
    return (Issue("ENC.UNDECODABLE", source=source, value=f"{encoding}: {count}"),) if count else ()
