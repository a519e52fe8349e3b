"""
The data dictionary at work: raw cells in, canonical columns inside, labelled columns out.

``columns.csv`` is at once schema, alias list, unit declaration, privacy declaration and manual; nothing else says what a
column is called, which unit it has or who may see it.
"""

from landplan.schema.canonical import Canonical, canonicalise, match_header
from landplan.schema.dictionary import Column, Table, coerce, column, dictionary
from landplan.schema.display import display
from landplan.schema.domain import check
from landplan.schema.words import as_words, join_rows, words_of

__all__ = [
    "Canonical",
    "Column",
    "Table",
    "as_words",
    "canonicalise",
    "check",
    "coerce",
    "column",
    "dictionary",
    "display",
    "join_rows",
    "match_header",
    "words_of",
]
