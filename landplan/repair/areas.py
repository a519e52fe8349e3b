"""Areas of documents held against areas drawn, and the unit that explains the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from landplan.issues import Issue
from landplan.schema import column
from landplan.units import convert, find_unit

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["reconcile_areas"]

_ROUNDED_M2 = 0.0051 * float(find_unit("亩", "area").factor)
# Registered over drawn area where the document was read in unit a and was written in unit b.
_UNIT_RATIOS = {
    float(find_unit(a, "area").factor / find_unit(b, "area").factor): b
    for a in ("m2", "亩", "公顷")
    for b in ("m2", "亩", "公顷")
    if a != b
}


def reconcile_areas(
    parcels: DataFrame, registered: str = "area_registered_m2", measured: str = "area_m2"
) -> tuple[pd.DataFrame, list[Issue]]:
    """
    Hold the area of the document against the area drawn.

    Parameters
    ----------
    parcels : DataFrame, n rows, indexed by parcel_id
        With both areas in m2, NaN where unknown.
    registered, measured : str
        Their columns.

    Returns
    -------
    DataFrame, n rows, same index and order
        ``area_ratio``: registered over measured; NaN where either is unknown.
    list of Issue
        A difference above half of 0.01 亩 and 0.05 % is said, above 1 % it blocks the verdict; a ratio near that of two units of
        area (亩, 公顷, m2) is called a suspected unit.

    Notes
    -----
    Documents round 亩 to two decimals; and below 0.05 % plane and ellipsoidal area differ by themselves at the rim of
    a 3-degree zone.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"area_registered_m2": [15.0], "area_m2": [10000.0]}, index=["A"])
    >>> reconcile_areas(frame)[1][0].code
    'ATTR.UNIT_SUSPECT'
    """
    nothing = pd.Series(np.nan, index=parcels.index)
    said = parcels.get(registered, nothing).to_numpy(dtype="float64")
    drawn = parcels.get(measured, nothing).to_numpy(dtype="float64")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(drawn > 0, said / drawn, np.nan)
    issues: list[Issue] = []
    differ = (np.abs(said - drawn) > np.maximum(_ROUNDED_M2, 5e-4 * drawn)) & np.isfinite(ratio)
    for position in np.flatnonzero(differ).tolist():
        value = f"{said[position]:.2f} / {drawn[position]:.2f} m2 = {ratio[position]:.4f}"
        suspect = next(
            (unit for near, unit in _UNIT_RATIOS.items() if abs(ratio[position] / near - 1) < 0.02), ""
        )
        wrong = abs(ratio[position] - 1) > 0.01
        code = "ATTR.UNIT_SUSPECT" if suspect else "ATTR.AREA_WRONG" if wrong else "ATTR.AREA_MISMATCH"
        measured_here = f"{drawn[position]:.2f} m2（{convert(float(drawn[position]), 'm2', '亩'):.2f} 亩）"
        issues.append(
            Issue(
                code,
                parcel_id=str(parcels.index[position]),
                field=column(registered).label(),
                value=value,
                limit="相差不超过 1%" if wrong else "相差不超过 0.05% 或 0.0051 亩",
                suggestion=f"单位：{suspect}" if suspect else measured_here,
            )
        )
    return pd.DataFrame({"area_ratio": ratio}, index=parcels.index), issues
