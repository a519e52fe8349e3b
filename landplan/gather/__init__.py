"""
From the files a project names to the frames an assessment needs; every file that fails costs only itself.

* reading  the hand that reads one project: keeps issues, sources and faults
* files    parcels, ledgers, zones, layers, evaluations, networks, outlines, events, heights
* large    a constraint layer too large to hold, left in its file
* kept     declared registers, and what the project's ledger has recorded
"""

from landplan.gather.files import read_inputs, read_layers
from landplan.gather.large import leave_out

__all__ = ["leave_out", "read_inputs", "read_layers"]
