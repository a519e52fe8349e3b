"""
What goes back to the sender: the list of faults, the material itself marked, a profile of what was recognised.

``vetting`` looks once more at what was read, ``listing`` writes the list (through ``plain``), ``marking`` the
marked workbook (on the copy of ``copying``), ``drawing`` the faults as points and polygons, ``material`` all of
it in a folder, ``mapping`` the profile.
"""

from __future__ import annotations

from landplan.returns.listing import list_faults, write_faults
from landplan.returns.mapping import write_profile
from landplan.returns.material import return_material
from landplan.returns.vetting import Material, vet_files

__all__ = ["Material", "list_faults", "return_material", "vet_files", "write_faults", "write_profile"]
