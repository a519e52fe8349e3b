"""
Profiles: what the headers of one data provider mean, written down once in a YAML file and checked like data.

It answers what a file does not say of itself: canonical names, units, CRS, encoding, words for no value.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from landplan.crs import as_crs
from landplan.errors import ConfigError, CRSError, Fault, UnitError
from landplan.schema import column, dictionary
from landplan.units import find_unit

if TYPE_CHECKING:
    from pandas import DataFrame, Series

__all__ = ["Condition", "Profile", "load_profile"]

_MOST_BYTES = 1024**2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Condition(_Strict):
    """
    Which cells of a column are wanted; exactly one way of saying it.

    Parameters
    ----------
    contains : str or None
        Text the cell must hold somewhere.
    equals : str or None
        Text the cell must be.
    one_of : tuple of str or None
        Texts of which the cell must be one.
    """

    contains: str | None = Field(default=None, min_length=1)
    equals: str | None = None
    one_of: tuple[str, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Condition:
        if sum(part is not None for part in (self.contains, self.equals, self.one_of)) != 1:
            raise ValueError("write exactly one of contains, equals, one_of")
        return self

    def allows(self, cell: object) -> bool:
        """
        Say whether a cell is wanted.

        Parameters
        ----------
        cell : object
            As the source holds it; a missing one is not wanted.

        Returns
        -------
        bool
            Compared as text, blanks at both ends taken off.

        Examples
        --------
        >>> Condition(contains="工業").allows("乙種工業區"), Condition(contains="工業").allows(None)
        (True, False)
        """
        if cell is None or cell != cell:  # noqa: PLR0124 - NaN
            return False
        text = str(cell).strip()
        if self.contains is not None:
            return self.contains in text
        return text in (self.one_of if self.one_of is not None else (self.equals,))


class Profile(_Strict):
    """
    What one provider's files mean.

    Parameters
    ----------
    profile : str
        Its name; the name of its file.
    title, provider, source, notes : str
        For people: what it reads, whose it is, where that is described, what to beware of.
    columns : dict of str to str
        Canonical name by header.
    units : dict of str to str
        Unit by header, for columns whose header does not say; a unit written in a cell goes before it.
    missing : tuple of str
        Words that mean "no value", beside the usual ones.
    crs, measure_crs : str or None
        Coordinate system of the files where they do not say, and the plane areas are measured in.
    encoding, layer, sheet : str or None
        As readers take them.
    where : dict of str to Condition
        Which records are wanted, by header; all conditions hold together.
    id_from_row : str or None
        Prefix of the numbers parcels get where the provider gives none: ``TW`` makes TW0001 of record 1.
    industry_edition : str or None
        Edition of GB/T 4754 the provider's codes belong to: 2002, 2011 or 2017.
    """

    profile: str = Field(min_length=1)
    title: str = ""
    provider: str = ""
    source: str = ""
    notes: str = ""
    columns: dict[str, str] = Field(default_factory=dict)
    units: dict[str, str] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    crs: str | None = None
    measure_crs: str | None = None
    encoding: str | None = None
    layer: str | None = None
    sheet: str | None = None
    where: dict[str, Condition] = Field(default_factory=dict)
    id_from_row: str | None = Field(default=None, min_length=1)
    industry_edition: str | None = None

    @field_validator("columns")
    @classmethod
    def _are_declared(cls, columns: dict[str, str]) -> dict[str, str]:
        unknown = [f"{header}: {name}" for header, name in columns.items() if _kind_of(name) is None]
        if unknown:
            known = ", ".join(name for name, declared in dictionary().items() if "read" in declared.made_by)
            raise ValueError(f"{'; '.join(unknown)} - not in columns.csv; known: {known}")
        twice = sorted({name for name in columns.values() if list(columns.values()).count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} - two headers for one column")
        return columns

    @field_validator("crs", "measure_crs")
    @classmethod
    def _is_crs(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                as_crs(text)
            except CRSError as error:
                raise ValueError(error.faults[0].en) from None
        return text

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                codecs.lookup(text)
            except LookupError:
                raise ValueError(f"{text!r} is not an encoding; use utf-8, gb18030 or big5") from None
        return text

    @field_validator("industry_edition")
    @classmethod
    def _is_edition(cls, text: str | None) -> str | None:
        known = tuple(dictionary()["industry_edition"].values)
        if text is not None and text not in known:
            raise ValueError(f"{text!r} is none of {', '.join(known)}")
        return text

    @model_validator(mode="after")
    def _units_fit(self) -> Profile:
        wrong = []
        for header, unit in self.units.items():
            name = self.columns.get(header)
            if name is None:
                wrong.append(f"units.{header}: not under columns")
                continue
            declared = column(name)
            if not declared.is_quantity:
                wrong.append(f"units.{header}: {name} has no unit")
                continue
            try:
                find_unit(unit, declared.kind)
            except UnitError as error:
                wrong.append(f"units.{header}: {error.faults[0].en}")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def selects(self, frame: DataFrame) -> Series[bool]:
        """
        Say which records of a raw table are wanted.

        Parameters
        ----------
        frame : DataFrame, n rows
            Headers and cells as the source writes them; a header that is not there filters nothing.

        Returns
        -------
        Series of bool, n rows, same index
            True where every condition of ``where`` holds.
        """
        import pandas as pd

        keep = pd.Series(data=True, index=frame.index, dtype=bool)
        for header, condition in self.where.items():
            if header in frame.columns:
                keep &= pd.Series(
                    [condition.allows(c) for c in frame[header].tolist()], frame.index, dtype=bool
                )
        return keep


def load_profile(
    profile: str | os.PathLike[str], *, folders: Iterable[str | os.PathLike[str]] = ()
) -> Profile:
    """
    Read a profile and check every line of it.

    Parameters
    ----------
    profile : str or path
        A YAML file, or a name: ``taiwan-zoning`` is ``taiwan-zoning.yaml`` in one of the folders.
    folders : iterable of path
        Where names and relative paths are looked for, in this order; also in ``profiles`` and
        ``gis_data/profiles`` below each, and below the current folder last.

    Returns
    -------
    Profile
        Checked.

    Raises
    ------
    ConfigError
        If it is not found or wrong, with every fault, file and key.
    """
    path = _find(os.fspath(profile), [Path(folder) for folder in folders])
    if path.stat().st_size > _MOST_BYTES:
        raise ConfigError(_fault(f"{path.stat().st_size} bytes", f"{path.stat().st_size} 字节", str(path)))
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(_fault(f"not a YAML file: {text}", f"不是 YAML 文件：{text}", str(path))) from None
    if not isinstance(content, dict):
        raise ConfigError(
            _fault("a profile is made of keys and values.", "映射文件应由键和值组成。", str(path))
        )
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise ConfigError(*(_fault_of(entry, str(path)) for entry in error.errors())) from None


class _Loader(yaml.SafeLoader):
    """Refuses doubled keys, of which YAML would keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {name!r} occurs twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


# A profile holds nothing but text: 2017 stays a name of an edition, and no is not False.
_Loader.yaml_implicit_resolvers = {
    sign: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
    ]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _find(name: str, folders: Sequence[Path]) -> Path:
    is_name = not name.endswith((".yaml", ".yml"))
    file = f"{name}.yaml" if is_name else name
    places = [*folders, Path()]
    tried = [place / below / file for place in places for below in ("", "profiles", "gis_data/profiles")]
    found = next((path for path in tried if path.is_file()), None)
    if found is not None and not (is_name and ("/" in name or "\\" in name)):
        return found
    there = sorted(
        {
            path.stem
            for place in places
            for b in ("profiles", "gis_data/profiles")
            for path in (place / b).glob("*.yaml")
        }
    )
    raise ConfigError(
        Fault(
            f"no profile {name!r}.",
            f"没有映射文件“{name}”。",
            at=", ".join(str(place) for place in places),
            mend_en=f"give the path of a YAML file{', or one of: ' + ', '.join(there) if there else ''}",
            mend_zh=f"写明 YAML 文件的路径{'，或使用：' + '、'.join(there) if there else ''}",
        )
    )


def _fault(en: str, zh: str, at: str) -> Fault:
    return Fault(en, zh, at, "mend the profile", "更正映射文件")


def _fault_of(entry: Any, path: str) -> Fault:
    key = ".".join(str(part) for part in entry["loc"])
    at = f"{path}, {key}" if key else path
    if entry["type"] == "extra_forbidden":
        known = ", ".join(Condition.model_fields if len(entry["loc"]) > 1 else Profile.model_fields)
        return Fault(
            f"{key!r} is no key of a profile.",
            f"“{key}”不是映射文件的键。",
            at,
            f"use one of: {known}",
            f"可用的键：{known}",
        )
    said = str(entry["msg"]).removeprefix("Value error, ")
    return _fault(said, f"“{key or '映射文件'}”有误：{said}", at)


def _kind_of(name: str) -> str | None:
    try:
        return column(name).kind
    except KeyError:
        return None
