"""
Texts that repeat, held once: the text columns of a table with twelve rows for each parcel.

Such a column is a pandas category; its words are in the order of words, so that it sorts as text does, and the blank is always
among them, so that ``fillna("")`` works.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["as_words", "join_rows", "words_of"]

_Array = np.ndarray[Any, Any]


def words_of(texts: Sequence[Any], numbers: _Array, known: Iterable[str] = ()) -> pd.Categorical:
    """
    Look texts up by number, each held once.

    Parameters
    ----------
    texts : sequence of str or None
        A text may stand there twice; None, NaN and the number -1 are missing.
    numbers : array of int, n
        Positions in it.
    known : iterable of str
        Words that may come to be used, beside those that are.

    Returns
    -------
    Categorical, n
        With the words in order.

    Examples
    --------
    >>> words_of(["pass", "fail", "pass"], np.array([0, 2, 1, -1])).tolist()
    ['pass', 'pass', 'fail', nan]
    """
    said = [text if isinstance(text, str) else None for text in texts]
    words = sorted({"", *known, *(text for text in said if text is not None)})
    rank = {word: place for place, word in enumerate(words)}
    narrow = np.int8 if len(words) < 128 else np.int16 if len(words) < 32768 else np.int32
    table = np.array([*(-1 if text is None else rank[text] for text in said), -1], dtype=narrow)
    return _categorical(table[numbers], pd.Index(words, dtype="str"))


def as_words(values: pd.Series[Any], known: Iterable[str] = ()) -> pd.Series[Any]:
    """
    Hold each text of a column once.

    Parameters
    ----------
    values : Series, n
        Texts; a category is left as it is where the blank and the known words are among its own.
    known : iterable of str
        Words that may come to be used.

    Returns
    -------
    Series of category, n, same index
        The same texts.

    Examples
    --------
    >>> as_words(pd.Series(["b", None, "a"])).cat.categories.tolist()
    ['', 'a', 'b']
    """
    known = {"", *known}
    if isinstance(values.dtype, pd.CategoricalDtype):
        old = values.dtype.categories
        if str(old.dtype) == "str" and len(_among(old, known)) == len(known):
            return values
        codes, texts = values.cat.codes.to_numpy(), old
    else:
        plain_text = (
            values if str(values.dtype) == "str" else values.astype("object").where(values.notna(), None)
        )
        codes, texts = pd.factorize(plain_text.astype("str"))
    plain = pd.Index(texts).astype("str")
    added = pd.Index(sorted(known - _among(plain, known)), dtype="str")
    # The blank comes before all: where it alone is missing, words in order stay so.
    first = len(added) == 1
    every = added.append(plain) if first else plain.append(added)
    if every.is_monotonic_increasing:
        numbers = np.where(codes < 0, -1, codes + int(first))
    else:
        order = np.argsort(every.to_numpy(dtype=object), kind="stable")
        rank = np.empty(len(every), dtype=np.int32)
        rank[order] = np.arange(len(every), dtype=np.int32)
        numbers = np.where(codes < 0, np.int32(-1), rank[codes + int(first)])
        every = every.take(order)
    return pd.Series(_categorical(numbers, every), index=values.index, name=values.name)


def _among(words: pd.Index[Any], known: set[str]) -> set[str]:
    """Which of a few words are among very many."""
    return set(words[words.isin(sorted(known))])


def join_rows(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """
    Put the rows of tables under one another; texts held once stay so.

    Parameters
    ----------
    frames : sequence of DataFrame
        With the same columns, one at least.

    Returns
    -------
    DataFrame
        All rows, numbered anew.

    Examples
    --------
    >>> one, other = (pd.DataFrame({"a": as_words(pd.Series([text]))}) for text in ("x", "y"))
    >>> join_rows([one, other])["a"].cat.categories.tolist()
    ['', 'x', 'y']
    """
    shared = {}
    for name in frames[0].columns:
        held = [frame[name] for frame in frames]
        if isinstance(held[0].dtype, pd.CategoricalDtype):
            held = [as_words(column) for column in held]
            joined = pd.api.types.union_categoricals([column.array for column in held], sort_categories=True)
            shared[name] = joined
    rest = [frame.drop(columns=list(shared)) for frame in frames]
    table = pd.concat(rest, ignore_index=True).assign(**shared)
    return table[list(frames[0].columns)]


def _categorical(codes: _Array, words: pd.Index[Any]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=words)
