"""A mapping profile from what was recognised: the provider's next files are read by it, unchanged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from landplan.errors import Fault, StoreError, UsageError
from landplan.publish import publish
from landplan.read.door import TABLES
from landplan.read.profile import load_profile
from landplan.schema import column

if TYPE_CHECKING:
    from landplan.read.profile import Profile
    from landplan.returns.vetting import Material

__all__ = ["write_profile"]

_CODE = re.compile(r"[A-Z]+:\d+")


def write_profile(material: Material, path: Path, *, base: Profile | None = None) -> Path:
    """
    Write down what the headers of a file were taken for, as a profile to be looked through and kept.

    Parameters
    ----------
    material : Material
        A file that was read.
    path : Path
        Ends in ``.yaml`` or ``.yml``; a former one is replaced in one step.
    base : Profile, optional
        The profile it was read with; what that says of records and numbers is carried over.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    UsageError
        If nothing was read from the file, or the name ends otherwise.
    StoreError
        If the place cannot be written, or the profile does not load as written.

    Notes
    -----
    Only what is certain stands in it; headers nobody recognised, columns without a unit and words that may mean
    "no value" stand beside it as comments, for a person to decide.
    """
    path = Path(path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError(
            Fault(
                en=f"a profile is not written as {path.suffix or path.name!r}.",
                zh=f"映射文件不能写成“{path.suffix or path.name}”。",
                at=str(path),
                mend_en="use .yaml",
                mend_zh="用 .yaml",
            )
        )
    if material.read is None:
        raise UsageError(
            Fault(
                en="nothing was read from the file, so there is nothing to map.",
                zh="没有从文件中读出记录，无法写映射文件。",
                at=material.inspection.path,
                mend_en="mend the faults first, or name layer, sheet, crs or encoding",
                mend_zh="先处理列出的问题，或指明图层、工作表、坐标系、编码",
            )
        )
    said = _content(material, path.stem, base)
    text = "".join(f"{line}\n" for line in [*_said(said), *_asked(material, said)])

    def write(new: Path) -> None:
        new.write_text(text, encoding="utf-8", newline="\n")

    def verify(new: Path) -> None:
        loaded = load_profile(new).model_dump(exclude_defaults=True, exclude_none=True)
        if _plain(loaded) != _plain(said):
            raise StoreError(
                Fault(
                    en="the profile does not load as written.",
                    zh="映射文件写入后读回不一致。",
                    at=str(path),
                    mend_en="report this with the headers of the file",
                    mend_zh="请连同表头反馈。",
                )
            )

    return publish(path, write, verify)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items()}
    return [_plain(held) for held in value] if isinstance(value, list | tuple) else value


def _content(material: Material, name: str, base: Profile | None) -> dict[str, Any]:
    inspection, read = material.inspection, material.read
    assert read is not None  # noqa: S101 - the door above has asked
    source, canonical = inspection.source, read.canonical
    # A profile trims its keys: a header with blanks around it would not be found by it, but by its own words.
    columns = {header: known for header, known in canonical.recognised.items() if header == header.strip()}
    units = {
        header: canonical.units[known]
        for header, known in columns.items()
        if known in canonical.units and column(known).is_quantity
    }
    said: dict[str, Any] = {
        "profile": name,
        "title": f"由 {Path(inspection.path).name} 识别写出，请核对后使用",
        "columns": columns,
        "units": units,
    }
    if base is not None:
        said |= {
            key: value
            for key, value in base.model_dump(exclude_defaults=True, exclude_none=True).items()
            if key not in said
        }
    if source.crs and _CODE.fullmatch(source.crs) and source.crs_how != "format":
        said["crs"] = source.crs
    if source.encoding and inspection.kind in ("csv", "shapefile"):
        said["encoding"] = source.encoding
    if read.layer:
        said["sheet" if inspection.kind in TABLES else "layer"] = read.layer
    return {key: value for key, value in said.items() if value not in ({}, (), "")}


def _said(said: dict[str, Any]) -> list[str]:
    lines = []
    for key, value in said.items():
        lines += yaml.safe_dump(
            {key: _plain(value)}, allow_unicode=True, sort_keys=False, width=10_000, default_flow_style=False
        ).splitlines()
    return lines


def _asked(material: Material, said: dict[str, Any]) -> list[str]:
    """What only a person can answer, as comments ready to be filled in."""
    inspection = material.inspection
    lines: list[str] = []
    if inspection.unknown:
        lines += [
            "",
            "# 未识别的列：确认含义后移到 columns 下 / not recognised; move below columns once known",
        ]
        lines += [f"#   {_scalar(header)}: ?" for header in inspection.unknown]
    if inspection.unitless:
        lines += ["", "# 没有单位的列：确认后写到 units 下 / without unit; write below units"]
        lines += [f"#   {_scalar(header)}: ?" for header in inspection.unitless]
    words = _words(material)
    if words:
        lines += [
            "",
            "# 读不成数的文字：如表示“没有”，写到 missing 下 / text among numbers; below missing if none",
        ]
        lines += [f"#   - {_scalar(word)}    # {count} 处" for word, count in words.items()]
    if "crs" not in said and material.read is not None and "geometry" in material.read.frame:
        lines += [
            "",
            f"# crs: 文件为 {_line(inspection.source.crs)}（{inspection.source.crs_how}），不必写明",
        ]
    return lines


def _words(material: Material) -> dict[str, int]:
    """Words without any digit that stand among numbers more than once."""
    counts: dict[str, int] = {}
    for issue in material.inspection.issues:
        if issue.code == "ATTR.NUMBER" and isinstance(issue.value, str) and not re.search(r"\d", issue.value):
            counts[issue.value.strip()] = counts.get(issue.value.strip(), 0) + 1
    return {word: count for word, count in counts.items() if count > 1 and word}


def _scalar(text: str) -> str:
    return _line(yaml.safe_dump(text, allow_unicode=True, width=10_000, default_style='"').strip())


def _line(text: str) -> str:
    """One line, whatever a header holds: a second one would be read as part of the profile."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text)
