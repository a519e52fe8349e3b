"""What a unit said last time, and what changed since: 新增, 消失, 结论变化, parcel by parcel."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landplan.errors import LandplanError
from landplan.publish import publish_text

if TYPE_CHECKING:
    from landplan.tables import Assessment

__all__ = ["CHANGES", "Change", "Changes", "compare_verdicts", "keep_baseline", "load_changes"]

CHANGES = "变化.json"


@dataclass(frozen=True)
class Change:
    """
    One parcel that is new, gone, or judged otherwise than last time.

    Parameters
    ----------
    parcel_id : str
        The parcel.
    kind : {"added", "gone", "changed"}
        What happened to it.
    before, after : str
        Verdicts; empty where there is none.
    area_before_m2, area_after_m2 : float or None
        Plane areas.
    reason : str
        Why it is judged as it is now, in Chinese.
    """

    parcel_id: str
    kind: str
    before: str = ""
    after: str = ""
    area_before_m2: float | None = None
    area_after_m2: float | None = None
    reason: str = ""


@dataclass
class Changes:
    """
    What a unit said before a run, and what became of it.

    Parameters
    ----------
    run : int
        The run.
    as_of : str
        Day the last result was judged for; empty where there was none.
    before : dict of str to list
        Verdict and area in m2 by parcel.
    changes : list of Change
        Filled when the unit was judged.
    """

    run: int
    as_of: str = ""
    before: dict[str, list[Any]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def save(self, folder: Path) -> Path:
        """
        Write the changes beside the results.

        Parameters
        ----------
        folder : Path
            Of the results of the unit.

        Returns
        -------
        Path
            The file.
        """
        return publish_text(folder / CHANGES, json.dumps(asdict(self), ensure_ascii=False, indent=1))

    def count(self) -> dict[str, int]:
        """
        Count the changes.

        Returns
        -------
        dict of str to int
            By kind; empty where there was no last result.
        """
        if not self.as_of:
            return {}
        return {
            kind: sum(change.kind == kind for change in self.changes) for kind in ("added", "gone", "changed")
        }


def load_changes(folder: Path) -> Changes | None:
    """
    Read the changes that lie beside the results of a unit.

    Parameters
    ----------
    folder : Path
        Of the results of the unit.

    Returns
    -------
    Changes or None
        None where there are none, or not in this form.
    """
    try:
        data = json.loads((folder / CHANGES).read_text(encoding="utf-8"))
        return Changes(**{**data, "changes": [Change(**change) for change in data["changes"]]})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def keep_baseline(folder: Path, result: Path, run: int, *, is_known: bool) -> Changes:
    """
    Put down what a unit said before this run, once per run, before its result is replaced.

    Parameters
    ----------
    folder : Path
        Of the results of the unit.
    result : Path
        GeoPackage of the last result.
    run : int
        The run.
    is_known : bool
        Whether the last run knew the unit; what an older one left is not compared with.

    Returns
    -------
    Changes
        With the verdicts before; empty where there was no result.
    """
    from landplan.store import load_assessment

    kept = load_changes(folder)
    if kept is not None and kept.run == run:
        # A kill between the result and the record of it: the result there is this run's own already.
        return Changes(run, kept.as_of, kept.before)
    changes = Changes(run)
    if is_known and result.is_file():
        try:
            last = load_assessment(result)
        except LandplanError:
            return changes  # a damaged or foreign file; whether it may be replaced is for the store to say
        changes = Changes(run, last.provenance.as_of.isoformat(), _verdicts(last))
    changes.save(folder)
    return changes


def _verdicts(assessment: Assessment) -> dict[str, list[Any]]:
    parcels = assessment.parcels
    return {
        str(pid): [str(verdict), None if area != area else float(area)]  # noqa: PLR0124 - NaN
        for pid, verdict, area in zip(parcels.index, parcels["verdict"], parcels["area_m2"], strict=True)
    }


def compare_verdicts(before: Changes, assessment: Assessment | None) -> list[Change]:
    """
    Name the parcels that are new, gone, or judged otherwise.

    Parameters
    ----------
    before : Changes
        What was said last time; nothing is compared where there was no result.
    assessment : Assessment or None
        What is said now; None where the unit is gone.

    Returns
    -------
    list of Change
        Changed verdicts first, then new parcels, then those gone; each by number.
    """
    from landplan.verdict import why_all

    if not before.as_of:
        return []
    now = {} if assessment is None else _verdicts(assessment)
    changed = [pid for pid in now if pid in before.before and now[pid][0] != before.before[pid][0]]
    reasons = {} if assessment is None else why_all(assessment, "zh", changed)
    found = []
    for pid in sorted(changed):
        decisive = [reason.text for reason in reasons[pid] if reason.is_decisive]
        (was, area), (verdict, new) = before.before[pid], now[pid]
        reason = "；".join(decisive[:3]) or "强制性规则全部通过"
        found.append(Change(pid, "changed", was, verdict, area, new, reason))
    found += [
        Change(pid, "added", "", now[pid][0], None, now[pid][1])
        for pid in sorted(set(now) - set(before.before))
    ]
    return found + [
        Change(pid, "gone", was, "", area)
        for pid, (was, area) in sorted(before.before.items())
        if pid not in now
    ]
