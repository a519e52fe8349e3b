"""Declarations by name: those in the project's own folder, then those that come with landplan."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from landplan.errors import ConfigError, Fault
from landplan.registers.declaration import Declaration
from landplan.registers.parse import parse_declaration

__all__ = ["list_declarations", "load_declaration"]

_SHIPPED = Path(__file__).resolve().parent / "declared"


@cache
def _shipped() -> dict[str, Declaration]:
    found = {}
    for path in sorted(_SHIPPED.glob("*.yaml")):
        # Named as people know it, not by where this copy of landplan lies.
        read = parse_declaration(
            path.read_bytes(), f"registers/declared/{path.name}", path.stem, is_shipped=True
        )
        if isinstance(read, list):
            raise ConfigError(*read)
        found[path.stem] = read
    return found


def _read(path: Path) -> Declaration | list[Fault]:
    try:
        read = parse_declaration(path.read_bytes(), str(path), path.stem)
    except OSError as error:
        return [Fault(f"the file cannot be read: {error.strerror}.", "文件无法读取。", str(path))]
    if isinstance(read, list):
        return read
    basis = _shipped().get(read.name)
    lacking = (
        [] if basis is None else [name for name in basis.table.columns if name not in read.table.columns]
    )
    if lacking and basis is not None:
        return [
            Fault(
                en=f"{read.name} is a register landplan counts with; it must keep {', '.join(lacking)}.",
                zh=f"“{read.name}”是 landplan 自带的登记表，必须保留列：{'、'.join(lacking)}。",
                at=str(path),
                mend_en="keep its columns and add yours, or choose another name",
                mend_zh="保留原有各列再增加，或另起名称",
            )
        ]
    return read


def list_declarations(folders: Sequence[str | Path] = ()) -> dict[str, Declaration]:
    """
    Gather every register that is declared.

    Parameters
    ----------
    folders : sequence of path
        Folders with declarations of a bureau, looked through before those that come with landplan; one that is not
        there holds none.

    Returns
    -------
    dict of str to Declaration
        By name; those that come with landplan first, in the order of their names.

    Raises
    ------
    ConfigError
        If any declaration of the folders is wrong: all faults of all files at once, each with file and line.
    """
    found: dict[str, Declaration] = {}
    faults: list[Fault] = []
    for folder in map(Path, folders):
        for path in sorted(folder.glob("*.yaml")):
            read = _read(path)
            if isinstance(read, list):
                faults += read
            else:
                found.setdefault(read.name, read)
    if faults:
        raise ConfigError(*faults)
    ordered = {name: found.pop(name, declared) for name, declared in _shipped().items()}
    return ordered | found


def load_declaration(name: str | Path, folders: Sequence[str | Path] = ()) -> Declaration:
    """
    Load one declaration.

    Parameters
    ----------
    name : str or Path
        Name, other name or title of a register; or the path of a YAML file.
    folders : sequence of path
        Looked through before the declarations that come with landplan.

    Returns
    -------
    Declaration
        Checked.

    Raises
    ------
    ConfigError
        If there is none of this name, or it is wrong.

    Examples
    --------
    >>> load_declaration("capacity").name, load_declaration("闲置厂房").title("en")
    ('capacities', 'Buildings')
    """
    text = str(name)
    if text.endswith((".yaml", ".yml")):
        read = _read(Path(text))
        if isinstance(read, list):
            raise ConfigError(*read)
        return read
    for folder in map(Path, folders):
        path = folder / f"{text}.yaml"
        if path.is_file():
            # The others of the folder may be wrong; that is no concern of this one.
            return load_declaration(path)
    known = list_declarations(folders)
    for declared in known.values():
        if text in (declared.name, *declared.aliases, declared.title_zh, declared.title_en):
            return declared
    close = difflib.get_close_matches(text, list(known), n=3)
    raise ConfigError(
        Fault(
            en=f"no register is called {text!r}.",
            zh=f"没有名为“{text}”的登记表。",
            at=", ".join(map(str, folders)),
            mend_en=f"use one of: {', '.join(close or known)}; or declare it in a YAML file of this name",
            mend_zh=f"可用：{'、'.join(close or known)}；或写一个同名的 YAML 声明",
        )
    )
