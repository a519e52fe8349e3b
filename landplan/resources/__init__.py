"""
Resources beside land: capacities at nodes, buildings for lease, money for preparation. Pure tables in, pure tables out.

``headroom`` says what is left at a node and which parcels that reaches, ``buildings`` what stands vacant and how much is
in use, ``funds`` what each head of the budget still holds.
"""

from landplan.resources.buildings import Rounding, list_buildings, measure_usage, print_rate
from landplan.resources.funds import balance_funds, find_overcommitments, missing_money, report_funds
from landplan.resources.headroom import attach_capacity, live_holds, measure_headroom

__all__ = [
    "Rounding",
    "attach_capacity",
    "balance_funds",
    "find_overcommitments",
    "list_buildings",
    "live_holds",
    "measure_headroom",
    "measure_usage",
    "missing_money",
    "print_rate",
    "report_funds",
]
