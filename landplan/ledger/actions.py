"""
What can be written into the ledger: every action with its fields.

An action is data, so that another is added by declaring it; what an entry may do to those before it stands in
``landplan.ledger.settle``.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import pandas as pd

from landplan.errors import Fault
from landplan.issues import clean_text

__all__ = ["ACTIONS", "Action", "Field", "complete_body"]

Kind = Literal["text", "day", "number", "integer", "state", "facts"]

_STATES = ("done", "pending", "none", "suspended", "void")
_WORDS = {
    "text": ("text", "文字"),
    "day": ("a day, 2026-11-20", "日期，如 2026-11-20"),
    "number": ("a number", "数字"),
    "integer": ("a whole number", "整数"),
    "state": (f"one of {', '.join(_STATES)}", f"{'、'.join(_STATES)} 之一"),
    "facts": ("a table of facts", "键值表"),
}


@dataclass(frozen=True)
class Field:
    """
    One field of an action.

    Parameters
    ----------
    name, label_zh : str
        As entries hold it, and as people call it.
    kind : {"text", "day", "number", "integer", "state", "facts"}
        What its values are.
    is_required : bool
        Whether an entry without it is refused.
    default : str or None
        What stands for it where it is not given.
    """

    name: str
    label_zh: str
    kind: Kind = "text"
    is_required: bool = False
    default: str | None = None


@dataclass(frozen=True)
class Action:
    """
    One kind of entry.

    Parameters
    ----------
    name, title_zh : str
        As entries name it, and as people call it.
    fields : tuple of Field
        What an entry says.
    identity : tuple of str
        Fields by which two entries are the same one written twice; every field where empty.
    """

    name: str
    title_zh: str
    fields: tuple[Field, ...]
    identity: tuple[str, ...] = ()

    def field(self, name: str) -> Field | None:
        """
        Find a field.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Field or None
            None where the action has none of this name.
        """
        return next((field for field in self.fields if field.name == name), None)


def _needed(name: str, label_zh: str, kind: Kind = "text", default: str | None = None) -> Field:
    return Field(name, label_zh, kind, is_required=True, default=default)


_ON, _UNTIL = _needed("on", "日期", "day"), Field("until", "有效期至", "day")
_PARCEL, _ITEM = _needed("parcel_id", "地块编号"), _needed("item", "事项")
_STATE = _needed("state", "状态", "state", "done")
_BY = (Field("party", "责任方"), Field("document", "文号"), Field("person", "经办人"))
_SUPERSEDES = Field("supersedes", "更正的序号", "integer")

ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        Action(
            "event",
            "事项",
            (
                *(_PARCEL, _ITEM, _ON, _STATE, _UNTIL, Field("amount", "数量", "number"), *_BY),
                *(Field("note", "备注"), Field("zone_code", "开发区代码"), _SUPERSEDES),
            ),
        ),
        Action(
            "batch_event",
            "批次进展",
            (
                *(
                    _needed("batch_no", "批次号"),
                    _ITEM,
                    _ON,
                    _STATE,
                    _UNTIL,
                    Field("days", "工作日", "integer"),
                ),
                *(*_BY, Field("note", "备注"), _SUPERSEDES),
            ),
        ),
        Action(
            "override",
            "人工认定",
            (
                *(
                    _PARCEL,
                    _needed("rule_id", "规则"),
                    _needed("person", "决定人"),
                    _needed("grounds", "理由"),
                ),
                *(_needed("document", "文号"), _ON, _needed("until", "有效期至", "day"), _SUPERSEDES),
            ),
        ),
        Action(
            "hold",
            "占用",
            (
                *(Field("hold_id", "占用编号"), Field("parcel_id", "地块编号"), Field("resource", "要素")),
                *(Field("node", "节点"), Field("amount", "数量", "number"), Field("unit", "单位")),
                *(_needed("demand", "需求"), _ON, _needed("until", "有效期至", "day")),
                *(
                    _needed("person", "经办人"),
                    Field("document", "文号"),
                    Field("headroom", "当时余量", "number"),
                ),
            ),
            # Not the day it begins: repeated after midnight it is still the same hold.
            ("parcel_id", "resource", "node", "amount", "unit", "demand", "until", "person"),
        ),
        Action(
            "release",
            "释放占用",
            (
                *(
                    _needed("hold_id", "占用编号"),
                    _ON,
                    _needed("person", "经办人"),
                    Field("document", "文号"),
                ),
                *(Field("grounds", "理由"), Field("hold_seq", "占用的序号", "integer")),
            ),
            ("hold_id",),
        ),
        Action(
            "commitment",
            "经费安排",
            (
                *(_needed("head", "经费科目"), _needed("year", "年度", "integer"), _PARCEL),
                *(_needed("amount_cny", "金额", "number"), _ON, _needed("person", "经办人")),
                *(Field("document", "文号"), Field("budget_cny", "当时预算", "number"), _SUPERSEDES),
            ),
            ("head", "year", "parcel_id", "amount_cny", "on", "person", "document", "supersedes"),
        ),
        Action(
            "freeze",
            "冻结清单",
            (
                *(
                    _needed("year", "年度", "integer"),
                    _needed("kind", "清单"),
                    _needed("as_of", "评定日", "day"),
                ),
                *(_needed("list_sha256", "清单哈希"), _needed("count", "宗数", "integer")),
                *(Field("area_m2", "面积", "number"), Field("list_no", "清单编号"), Field("crs", "坐标系")),
                Field("provenance", "依据", "facts"),
            ),
            ("year", "kind", "list_sha256"),
        ),
        Action(
            "assessment",
            "核验",
            (
                *(
                    _needed("as_of", "评定日", "day"),
                    _needed("result_sha256", "结果哈希"),
                    _needed("version", "版本"),
                ),
                *(Field("rulebooks", "规则集", "facts"), Field("parcels", "地块数", "integer")),
                *(Field("ready", "具备条件", "integer"), Field("path", "文件")),
            ),
            ("as_of", "result_sha256"),
        ),
        Action(
            "void",
            "作废",
            (
                *(_needed("voids", "作废的序号", "integer"), _needed("grounds", "理由")),
                *(_needed("person", "经办人"), Field("document", "文号")),
            ),
            ("voids",),
        ),
    )
}
"""Every action by its name."""


def complete_body(action: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """
    Bring what is to be recorded into the one form entries have.

    Parameters
    ----------
    action : str
        A name of ``ACTIONS``.
    body : mapping of str to object
        Values by field. Days may be ``date``, ``Timestamp`` or ISO text; None, NaN and blank text mean not given.

    Returns
    -------
    dict
        Days as ISO text, numbers as float, text in NFC without blanks at its ends; fields not given are left out.
    list of Fault
        Fields unknown, lacking, or of the wrong kind: all of them.

    Examples
    --------
    >>> complete_body("release", {"hold_id": "H0001", "on": date(2027, 3, 1), "person": "张三", "grounds": ""})
    ({'hold_id': 'H0001', 'on': '2027-03-01', 'person': '张三'}, [])
    """
    declared = ACTIONS.get(action)
    if declared is None:
        known = ", ".join(ACTIONS)
        return {}, [
            Fault(
                en=f"there is no action {action!r}.",
                zh=f"总账没有“{action}”这种记录。",
                mend_en=f"use one of: {known}",
                mend_zh=f"可用：{known}",
            )
        ]
    faults = [
        Fault(
            en=f"{action} has no field {name!r}.",
            zh=f"“{declared.title_zh}”没有字段“{name}”。",
            mend_en=f"its fields: {', '.join(field.name for field in declared.fields)}",
            mend_zh=f"可用字段：{'、'.join(field.name for field in declared.fields)}",
        )
        for name in body
        if declared.field(name) is None
    ]
    result: dict[str, Any] = {}
    for field in declared.fields:
        given = body.get(field.name)
        given = field.default if _is_blank(given) else given
        if given is None:
            if field.is_required:
                faults.append(
                    Fault(
                        en=f"{action} needs {field.name!r}.",
                        zh=f"“{declared.title_zh}”缺少“{field.label_zh}”。",
                        mend_en=f"give it: {_WORDS[field.kind][0]}",
                        mend_zh=f"请填写：{_WORDS[field.kind][1]}",
                    )
                )
            continue
        try:
            result[field.name] = _as_kind(given, field.kind)
        except (ValueError, TypeError, OverflowError):
            shown = clean_text(str(given))[:80]
            faults.append(
                Fault(
                    en=f"{field.name!r} of {action} cannot be {shown!r}.",
                    zh=f"“{declared.title_zh}”的“{field.label_zh}”不能是“{shown}”。",
                    mend_en=f"give {_WORDS[field.kind][0]}",
                    mend_zh=f"请填写{_WORDS[field.kind][1]}",
                )
            )
    if "on" in result and "until" in result and result["until"] < result["on"]:
        faults.append(
            Fault(
                en=f"{action} ends on {result['until']}, before it begins on {result['on']}.",
                zh=f"“{declared.title_zh}”的有效期至 {result['until']} 早于起始日 {result['on']}。",
                mend_en="mend one of the two days",
                mend_zh="改正其中一个日期",
            )
        )
    return result, faults


def _is_blank(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    return not isinstance(value, Mapping | list | tuple) and bool(pd.isna(value))


def _as_kind(value: Any, kind: Kind) -> Any:
    if kind == "day":
        return _as_day(value)
    if kind == "number":
        if isinstance(value, bool | str):
            raise TypeError(value)
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(value)
        return number
    if kind == "integer":
        if isinstance(value, bool | str) or int(value) != value:
            raise TypeError(value)
        return int(value)
    if kind == "facts":
        if not isinstance(value, Mapping):
            raise TypeError(value)
        return dict(value)
    text = unicodedata.normalize("NFC", str(value)).strip()
    text.encode("utf-8")  # half a character cannot be written, and must be told now
    if kind == "state" and text not in _STATES:
        raise ValueError(text)
    return text


def _as_day(value: Any) -> str:
    if isinstance(value, pd.Timestamp | datetime):
        value = value.date()
    day = value if isinstance(value, date) else date.fromisoformat(str(value).strip())
    return day.isoformat()
