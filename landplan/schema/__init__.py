"""
The data dictionary at work: raw cells in, canonical columns inside, labelled columns out.

``columns.csv`` is at once schema, alias list, unit declaration, privacy declaration and manual; nothing else says what a
column is called, which unit it has or who may see it.
"""

from landplan.schema.canonical import Canonical, canonicalise, match_header
from landplan.schema.dictionary import Column, coerce, column, dictionary
from landplan.schema.display import display
from landplan.schema.domain import check

__all__ = [
    "Canonical",
    "Column",
    "canonicalise",
    "check",
    "coerce",
    "column",
    "dictionary",
    "display",
    "match_header",
]
