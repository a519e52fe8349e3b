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

__all__ = [
    "ByParcel",
    "as_words",
    "codes_of",
    "find_words",
    "is_among",
    "join_rows",
    "number_words",
    "rank_words",
    "used_words",
    "words_of",
]

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
    table, words = number_words(texts, known)
    return _categorical(table[numbers], words)


def number_words(texts: Sequence[Any], known: Iterable[str] = ()) -> tuple[_Array, pd.Index[Any]]:
    """
    Number a few texts by their place among the words a category of them has.

    Parameters
    ----------
    texts : sequence of str or None, k
        A text may stand there twice; None and NaN are missing.
    known : iterable of str
        Words that may come to be used, beside those that are.

    Returns
    -------
    ndarray of int8, int16 or int32, k + 1
        The number of each text, -1 where it is missing; the last, which number -1 takes, is missing too.
    Index
        The words in order.

    Examples
    --------
    >>> number_words(["pass", None, "fail"])[0].tolist()
    [2, -1, 1, -1]
    """
    said = [text if isinstance(text, str) else None for text in texts]
    words = sorted({"", *known, *(text for text in said if text is not None)})
    rank = {word: place for place, word in enumerate(words)}
    narrow = np.int8 if len(words) < 128 else np.int16 if len(words) < 32768 else np.int32
    table = np.array([*(-1 if text is None else rank[text] for text in said), -1], dtype=narrow)
    return table, pd.Index(words, dtype="str")


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
        order = every.argsort()
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
    joined: dict[Any, Any] = {}
    for name in frames[0].columns:
        held = [frame[name] for frame in frames]
        if isinstance(held[0].dtype, pd.CategoricalDtype):
            joined[name] = _join_words([as_words(column).array for column in held])
        else:
            joined[name] = pd.concat(held, ignore_index=True).array
    return pd.DataFrame(joined, copy=False)


def _join_words(columns: list[pd.Categorical[Any]]) -> pd.Categorical:
    """Put categories under one another: mostly the others say nothing that the first has no word for."""
    words, codes = columns[0].categories, columns[0].codes
    joined = [codes]
    for column in columns[1:]:
        table = _numbers_among(column.categories, words)
        if table is None or not words.is_monotonic_increasing:
            every: pd.Categorical = pd.api.types.union_categoricals(columns, sort_categories=True)
            return every
        joined.append(table.astype(codes.dtype)[column.codes])
    return _categorical(np.concatenate(joined), words)


def _numbers_among(few: pd.Index[Any], words: pd.Index[Any]) -> _Array | None:
    """Give the place of each of a few words among many, and last that of none; None where one is not there."""
    # The few are what is searched: to make very many ready for it would take longer.
    found = find_words(words, few)
    here = np.flatnonzero(found >= 0)
    table = np.full(len(few) + 1, -1, dtype=np.int32)
    table[found[here]] = here
    return table if len(here) == len(few) else None


def codes_of(values: pd.Series[Any]) -> tuple[_Array, pd.Index[Any]]:
    """
    Give a column as numbers, and what they stand for.

    Parameters
    ----------
    values : Series, n
        Texts; a category is not worked through.

    Returns
    -------
    ndarray of int, n
        Places among the words, -1 where missing. Not to be written to.
    Index
        The words, each once: those of the category, else those found, in the order they are met.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.array.codes, values.dtype.categories
    codes, words = pd.factorize(values)
    return codes, pd.Index(words)


def is_among(values: pd.Series[Any], words: Iterable[str]) -> _Array:
    """
    Tell where a column says one of a few words.

    Parameters
    ----------
    values : Series, n
        Texts or a category.
    words : iterable of str
        Words asked for.

    Returns
    -------
    ndarray of bool, n
        False where missing.

    Examples
    --------
    >>> is_among(as_words(pd.Series(["pass", None, "fail"])), ["fail", "refer"]).tolist()
    [False, False, True]
    """
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return values.isin(list(words)).to_numpy(dtype=bool)
    codes, known = codes_of(values)
    found = np.zeros(len(codes), dtype=bool)
    for place in known.get_indexer(pd.Index(list(words))):
        if place >= 0:
            # Codes are a byte wide: to compare each is much quicker than to look them up.
            found |= codes == place
    return found


def used_words(values: pd.Series[Any]) -> set[str]:
    """
    Gather the words a column says.

    Parameters
    ----------
    values : Series, n
        Texts or a category.

    Returns
    -------
    set of str
        Without missing.

    Examples
    --------
    >>> used_words(as_words(pd.Series(["far.min", None])))
    {'far.min'}
    """
    codes, words = codes_of(values)
    return {str(words[code]) for code in pd.unique(codes).tolist() if code >= 0}


def find_words(texts: pd.Index[Any], words: pd.Index[Any]) -> _Array:
    """
    Find texts among words, very many among very many.

    Parameters
    ----------
    texts : Index of str, n
        What is looked for.
    words : Index of str
        Where it is looked for, each once.

    Returns
    -------
    ndarray of int32, n
        Places in ``words``; -1 where it is not there, or missing.

    Examples
    --------
    >>> find_words(pd.Index(["b", "c"]), pd.Index(["a", "b"])).tolist()
    [1, -1]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    sought, among = (pa.array(each.astype("str").array) for each in (texts, words))
    places: _Array = pc.index_in(sought, value_set=among, skip_nulls=True).fill_null(-1).to_numpy()
    return places


def rank_words(texts: pd.Index[Any]) -> tuple[_Array, pd.Index[Any]]:
    """
    Number texts of which hardly one repeats, such as the numbers of parcels, as a category has them.

    Parameters
    ----------
    texts : Index of str, n
        Not missing.

    Returns
    -------
    ndarray of int32, n
        Places among the words.
    Index
        The words in order, the blank first.

    Examples
    --------
    >>> [each.tolist() for each in rank_words(pd.Index(["b", "a", "b"]))]
    [[2, 1, 2], ['', 'a', 'b']]
    """
    plain = texts.astype("str")
    order = plain.argsort()
    words = plain.take(order)
    is_new = np.ones(len(words), dtype=bool)
    is_new[1:] = words[1:] != words[:-1]
    words = words if is_new.all() else words[is_new]
    first = not len(words) or words[0] != ""
    rank = np.empty(len(plain), dtype=np.int32)
    rank[order] = np.cumsum(is_new, dtype=np.int32) - np.int32(not first)
    return rank, pd.Index([""], dtype="str").append(words) if first else words


class ByParcel:
    """
    The rows of a long table, told of the parcels they are of.

    Parameters
    ----------
    numbers : Series, r rows
        ``parcel_id`` of the table; quickest where it is a category and rows of one parcel follow one another.
    index : Index, n
        Numbers of the parcels.

    Examples
    --------
    >>> rows = ByParcel(pd.Series(["B", "B", "C"]), pd.Index(["A", "B"]))
    >>> rows.count(np.array([True, True, True])).tolist(), rows.places(np.array([1, 2])).tolist()
    ([0, 2], [1, -1])
    """

    def __init__(self, numbers: pd.Series[Any], index: pd.Index[Any]) -> None:
        """Find out which word of the column each parcel is."""
        self._codes, words = codes_of(numbers)
        begins = np.ones(len(self._codes), dtype=bool)
        begins[1:] = self._codes[1:] != self._codes[:-1]
        self._begin = np.flatnonzero(begins)
        self._size = len(words)
        self._word = _words_at(self._codes[self._begin], words, index.astype("str"))

    def count(self, chosen: _Array) -> _Array:
        """
        Count rows of each parcel.

        Parameters
        ----------
        chosen : ndarray of bool, r
            Rows that count.

        Returns
        -------
        ndarray of int64, n
            How many.
        """
        counts = np.bincount(self._codes[chosen] + 1, minlength=self._size + 1)
        counts[0] = 0
        found: _Array = counts[self._word + 1]
        return found

    def has(self, chosen: _Array) -> _Array:
        """
        Tell which parcels have rows; leaner than to count where most rows are chosen.

        Parameters
        ----------
        chosen : ndarray of bool, r
            Rows that count.

        Returns
        -------
        ndarray of bool, n
            Where there is one.
        """
        met = np.zeros(self._size + 1, dtype=bool)
        if len(self._begin):
            runs = np.logical_or.reduceat(chosen, self._begin)
            met[self._codes[self._begin[runs]] + 1] = True
        met[0] = False
        found: _Array = met[self._word + 1]
        return found

    def places(self, chosen: _Array) -> _Array:
        """
        Tell where the parcel of each row stands.

        Parameters
        ----------
        chosen : ndarray of int, k
            Rows asked for, by position.

        Returns
        -------
        ndarray of int64, k
            Places in the index; -1 where the row is of no parcel.
        """
        place = np.full(self._size + 1, -1, dtype=np.int64)
        place[self._word + 1] = np.arange(len(self._word))
        place[0] = -1
        found: _Array = place[self._codes[chosen] + 1]
        return found


def _words_at(runs: _Array, words: pd.Index[Any], index: pd.Index[Any]) -> _Array:
    """Give the place of each parcel among words; -1 where it is not there."""
    count = len(index)
    # Findings follow the parcels, each with all of its rules: then the words need no looking up, only to be compared.
    if 0 < count <= len(runs) and runs[0] >= 0 and words[runs[0]] == index[0]:
        first = runs[:count]
        if first.min() >= 0 and words.take(first).equals(index):
            return first
    return find_words(index, words)


def _categorical(codes: _Array, words: pd.Index[Any]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=words)
