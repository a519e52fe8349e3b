"""Texts held once: a category that behaves as the text it stands for."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from landplan.schema import as_words, coerce, join_rows, words_of

texts = st.lists(st.one_of(st.none(), st.text(max_size=4), st.sampled_from(["pass", "fail", ""])), max_size=8)


def column(values):
    return (
        pd.Series(values, dtype="object")
        .where(pd.Series(values, dtype="object").notna(), np.nan)
        .astype("str")
    )


@given(texts, st.sets(st.sampled_from(["pass", "exempt"])))
def test_a_column_of_words_says_what_its_texts_say_and_sorts_as_they_do(values, known):
    plain = column(values)
    held = as_words(plain, known)
    assert held.astype("str").equals(plain)
    assert held.cat.categories.tolist() == sorted({"", *known, *plain.dropna()})
    assert held.sort_values(kind="stable").index.tolist() == plain.sort_values(kind="stable").index.tolist()
    assert as_words(held, known) is held
    assert as_words(held, {"zuletzt"}).astype("str").equals(plain)


@given(texts)
def test_the_blank_may_always_be_filled_in(values):
    plain = column(values)
    assert as_words(plain).fillna("").tolist() == plain.fillna("").tolist()


@given(texts, texts)
def test_rows_joined_are_the_rows_of_both(first, second):
    frames = [pd.DataFrame({"a": as_words(column(v)), "n": np.arange(len(v))}) for v in (first, second)]
    joined = join_rows(frames)
    assert joined["a"].astype("str").equals(pd.concat([column(first), column(second)], ignore_index=True))
    assert joined["n"].tolist() == [*range(len(first)), *range(len(second))]
    assert isinstance(joined["a"].dtype, pd.CategoricalDtype)


@given(texts)
def test_texts_looked_up_by_number_are_those_texts(values):
    numbers = np.array([*range(len(values)), -1])
    assert column([*values, None]).equals(pd.Series(words_of(values, numbers)).astype("str"))


def test_the_findings_take_every_word_the_dictionary_has_for_them():
    table = coerce(pd.DataFrame({"parcel_id": ["A"], "status": ["pass"], "reason": [None]}), "findings")
    table.loc[0, "status"] = "exempt"
    table.loc[0, "reason"] = "not_required"
    assert table.loc[0, ["status", "reason"]].tolist() == ["exempt", "not_required"]
