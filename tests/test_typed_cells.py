"""Columns as Arrow gives them are read to the same values, and the same faults, as cells one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from landplan.schema import canonicalise

TEXTS = st.one_of(
    st.none(),
    st.text(max_size=6),
    st.sampled_from(
        [
            *(
                "A-1",
                "A - 1",
                "Ａ－１",
                " A-1 ",
                "1.2E+15",
                "140107001001GB00001",
                "无",
                " 无",
                "",
                "\u3000",
                "a\u200bb",
            ),
            *(
                "完成",
                "已完成",
                "办结了",
                "2024-06-01",
                "2024年6月",
                "约20亩",
                "150万元/亩",
                "1.0~2.0",
                "#REF!",
                "-",
            ),
        ]
    ),
)
NUMBERS = st.one_of(
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 0.1 + 0.2, 1e6, 149.93, 2.5, 1e18]),
    st.floats(-1e15, 1e15),
)


def read(cells: pd.DataFrame, table: str, **how: object) -> tuple[pd.DataFrame, list[object]]:
    made = canonicalise(cells, table, source="a.gpkg", **how)  # type: ignore[arg-type]
    return made.frame, [(i.code, i.row, i.field, str(i.value), i.limit, i.suggestion) for i in made.issues]


def both(typed: pd.DataFrame, table: str, **how: object) -> None:
    plain = pd.DataFrame(
        {
            name: pd.Series([None if pd.isna(c) else c for c in typed[name].tolist()], dtype=object)
            for name in typed
        }
    )
    one, told_one = read(typed, table, **how)
    other, told_other = read(plain, table, **how)
    pd.testing.assert_frame_equal(one, other)
    assert told_one == told_other


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6), st.sampled_from([(), ("无", "暂无资料")]))
def test_text_is_read_alike(values: list[str | None], missing: tuple[str, ...]) -> None:
    column = (
        pd.Series(values, dtype="object")
        .where(pd.Series(values, dtype="object").notna(), np.nan)
        .astype("str")
    )
    names = ["地块编号", "地块名称", "备注", "容积率", "固定资产投资强度（万元/亩）", "出让年限"]
    both(pd.DataFrame(dict.fromkeys(names, column)), "parcels", missing=missing)
    both(pd.DataFrame(dict.fromkeys(["地块编号", "事项", "日期", "状态"], column)), "events", missing=missing)


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_numbers_are_read_alike(values: list[float]) -> None:
    column = pd.Series(values, dtype="float64")
    names = [
        "地块编号",
        "容积率",
        "固定资产投资强度（万元/亩）",
        "出让年限",
        "绿地率（%）",
        "登记面积",
        "亩均税收（万元/亩）",
    ]
    both(pd.DataFrame(dict.fromkeys(names, column)), "parcels")


@given(st.lists(st.integers(-(2**60), 2**60), min_size=1, max_size=6))
def test_whole_numbers_are_read_alike(values: list[int]) -> None:
    column = pd.Series(values, dtype="int64")
    both(
        pd.DataFrame(dict.fromkeys(["地块编号", "容积率", "出让年限", "绿地率（%）", "地块名称"], column)),
        "parcels",
    )
