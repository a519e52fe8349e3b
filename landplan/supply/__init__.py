"""
Where each parcel stands in the supply of land: stock that can be sold, land still to be approved, land already sold.

Stock is not the complement of increment: a parcel whose approval is unknown is on neither list, and says so. ``axes`` and
``classify`` judge one day; ``timeline`` and ``flows`` tell a period move by move; ``batches``, ``annual``, ``reserve``,
``standard``, ``plan`` and ``zones`` are what a bureau keeps on top of that. Frames in, frames out.
"""

from __future__ import annotations

from landplan.supply.annual import AnnualList, annual_list, diff_lists, extract_list, hash_rows, restore_list
from landplan.supply.axes import derive_axes
from landplan.supply.batches import board_batches, expand_batches
from landplan.supply.classify import classify_supply
from landplan.supply.flows import Balance, balance_period, kinds_on
from landplan.supply.lists import balance_supply, count_by_zone, list_supply
from landplan.supply.plan import Plan, plan_supply
from landplan.supply.reserve import (
    ADMISSION,
    announce_admissions,
    measure_supply_years,
    reserve_of,
    reserve_register,
    vet_admission,
)
from landplan.supply.standard import require_standard, share_standard
from landplan.supply.zones import compare_zones, credit_enclaves, register_zones

__all__ = [
    "ADMISSION",
    "AnnualList",
    "Balance",
    "Plan",
    "announce_admissions",
    "annual_list",
    "balance_period",
    "balance_supply",
    "board_batches",
    "classify_supply",
    "compare_zones",
    "count_by_zone",
    "credit_enclaves",
    "derive_axes",
    "diff_lists",
    "expand_batches",
    "extract_list",
    "hash_rows",
    "kinds_on",
    "list_supply",
    "measure_supply_years",
    "plan_supply",
    "register_zones",
    "require_standard",
    "reserve_of",
    "reserve_register",
    "restore_list",
    "share_standard",
    "vet_admission",
]
