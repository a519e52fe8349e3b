"""
Registers: tables a bureau keeps by hand, declared in YAML and then templated, read, listed and exported like any other.

``declaration`` is what a register is, ``parse`` and ``load`` read declarations, ``reading`` reads a sheet as one, and
``listing`` cuts it to a person, a department, a zone or a day. A bureau adds a register by writing a declaration.
"""

from landplan.registers.declaration import Declaration
from landplan.registers.listing import display_register, filter_register, find_stale
from landplan.registers.load import list_declarations, load_declaration
from landplan.registers.reading import coerce_register, read_register

__all__ = [
    "Declaration",
    "coerce_register",
    "display_register",
    "filter_register",
    "find_stale",
    "list_declarations",
    "load_declaration",
    "read_register",
]
