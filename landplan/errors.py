"""
The errors callers may catch; each says what, where and how to mend, in English and Chinese.

* LandplanError                 exit
  x UsageError                     2   the command or the arguments are wrong
    - ConfigError                  2   landplan.toml is wrong
    - EngineError                  2   the cluster named cannot do the work
  x DataError                      3   the data cannot be worked on
    - ReadError                    3   a file cannot be read
    - CRSError                     3   coordinates cannot be placed
    - UnitError                    3   a number has no unit, or one of another kind
    - SchemaError                  3   a table lacks what it must have
    - RulebookError                3   a rulebook is not fit to judge by
    - StoreError                   3   a result cannot be written or read back
  x InternalError                  4   our own fault

Wrong data in one row is not an error but an *issue* (see ``landplan.issues``): a row in a table, all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "CRSError",
    "ConfigError",
    "DataError",
    "EngineError",
    "Fault",
    "InternalError",
    "LandplanError",
    "ReadError",
    "RulebookError",
    "SchemaError",
    "StoreError",
    "UnitError",
    "UsageError",
]


@dataclass(frozen=True)
class Fault:
    """
    One thing that is wrong, where it is, and how to mend it.

    Parameters
    ----------
    en, zh : str
        What is wrong, one sentence each.
    at : str, default ""
        The place: file, sheet!cell, line, parcel.
    mend_en, mend_zh : str, default ""
        What to do about it.
    """

    en: str
    zh: str
    at: str = ""
    mend_en: str = ""
    mend_zh: str = ""

    def __str__(self) -> str:
        """Lay the fault out in lines: English, place, mend, Chinese."""
        lines = [self.en]
        if self.at:
            lines.append(f"  at: {self.at}")
        if self.mend_en:
            lines.append(f"  to mend: {self.mend_en}")
        lines.append(f"  {self.zh}")
        if self.mend_zh:
            lines.append(f"  {self.mend_zh}")
        return "\n".join(lines)


class LandplanError(Exception):
    """
    Base of all errors of landplan; carries one fault or several, never only the first.

    Parameters
    ----------
    *faults : Fault
        What is wrong, at least one.
    """

    exit_code = 4

    def __init__(self, *faults: Fault) -> None:
        self.faults: Sequence[Fault] = faults
        super().__init__(*faults)

    def __str__(self) -> str:
        """Print every fault under the name of the error."""
        return "\n".join(f"{type(self).__name__}: {fault}" for fault in self.faults)


class UsageError(LandplanError):
    """The command or its arguments are wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """The project file ``landplan.toml`` is wrong."""


class EngineError(UsageError):
    """The cluster named cannot do the work: nobody there, other versions, files out of reach."""


class DataError(LandplanError):
    """The data cannot be worked on."""

    exit_code = 3


class ReadError(DataError):
    """A file cannot be read."""


class CRSError(DataError):
    """Coordinates cannot be placed on the earth."""


class UnitError(DataError):
    """A number has no unit, or a unit of another kind."""


class SchemaError(DataError):
    """A table lacks what it must have."""


class RulebookError(DataError):
    """A rulebook is not fit to judge by."""


class StoreError(DataError):
    """A result cannot be written or read back."""


class LedgerError(DataError):
    """An entry is refused by what the ledger already holds."""


class InternalError(LandplanError):
    """Our own fault: a promise of landplan is broken."""
