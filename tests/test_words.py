"""Texts held once: a category that behaves as the text it stands for."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from landplan.schema import as_words, coerce, join_rows, words_of
from landplan.schema.words import ByParcel, find_words, is_among, rank_words, used_words

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


@given(texts, st.lists(st.sampled_from(["pass", "fail", "", "nowhere"]), max_size=3))
def test_what_a_column_says_is_the_same_held_once_or_not(values, words):
    plain = column(values)
    expected = [text in words for text in plain]
    for held in (plain, as_words(plain, {"exempt"})):
        assert is_among(held, words).tolist() == expected
        # A word that only may come to be used is not said.
        assert used_words(held) == set(plain.dropna())


@given(st.lists(st.sampled_from("abcd"), max_size=6), st.lists(st.sampled_from("bcde"), unique=True))
def test_texts_are_found_where_they_stand_among_the_words(sought, words):
    found = find_words(pd.Index(sought, dtype="str"), pd.Index(words, dtype="str"))
    assert found.tolist() == [words.index(text) if text in words else -1 for text in sought]


@given(st.lists(st.text(max_size=3), max_size=8))
def test_texts_are_ranked_among_the_words_a_category_of_them_has(values):
    rank, words = rank_words(pd.Index(values, dtype="str"))
    assert words.tolist() == sorted({"", *values})
    assert [words[place] for place in rank] == values


@given(
    st.permutations(["A", "B", "C"]),
    st.lists(st.tuples(st.sampled_from([*"ABC", "nobody", None]), st.booleans()), max_size=9),
    st.booleans(),
    st.booleans(),
)
def test_rows_are_counted_for_the_parcel_they_name_whatever_their_order(index, more, in_order, held_once):
    # In order: every parcel with its two rows, as findings are; then rows of decisions, of others, of nobody.
    rows = [(pid, place == 0) for pid in index for place in range(2)] * in_order + more
    numbers, chosen = column([pid for pid, _ in rows]), np.array([mask for _, mask in rows], dtype=bool)
    table = ByParcel(as_words(numbers) if held_once else numbers, pd.Index(index, dtype="str"))
    counts = [sum(pid == own and mask for pid, mask in rows) for own in index]
    assert table.count(chosen).tolist() == counts
    assert table.has(chosen).tolist() == [count > 0 for count in counts]
    places = [index.index(pid) if pid in index else -1 for pid, _ in rows]
    assert table.places(np.arange(len(rows))).tolist() == places


def test_a_column_that_is_not_there_is_added_with_its_dtype_and_says_nothing():
    given_ids = coerce(pd.DataFrame({"parcel_id": ["A", "B"]}), "indicators")
    full = pd.DataFrame(
        {"parcel_id": ["A"], "document": ["x"], "value": [1.0], "on": ["2026-01-01"], "source_row": [3]}
    )
    assert given_ids[["document", "value", "on", "source_row"]].isna().all(axis=None)
    for name in ("value", "on", "source_row"):
        assert given_ids[name].dtype == coerce(full, "indicators")[name].dtype
    assert isinstance(given_ids["document"].dtype, pd.CategoricalDtype)
