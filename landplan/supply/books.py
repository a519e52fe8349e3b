"""Areas as the books count them: hundredths of a 亩, rounded parcel by parcel, so that sums close to the last one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from landplan.units import convert

__all__ = ["BOOK_RULE", "book_areas"]

BOOK_RULE = (
    "计账面积：每宗地由平方米换算为亩（1 亩 = 2000/3 平方米），四舍五入到 0.01 亩后逐宗相加。",
    "area on the books: each parcel in 亩 (2000/3 m2), rounded half-up to 0.01, then added parcel by parcel.",
)
"""How areas are rounded before they are added up, in Chinese and English."""


def book_areas(area_m2: pd.Series[Any]) -> pd.Series[Any]:
    """
    Give areas in hundredths of a 亩, half-up.

    Parameters
    ----------
    area_m2 : Series of float, n rows
        Areas in m2; NaN where unknown.

    Returns
    -------
    Series of Int64, n rows
        Whole hundredths; missing where the area is.

    Examples
    --------
    >>> book_areas(pd.Series([68507.52, 38700.40, 10000.0])).tolist()
    [10276, 5805, 1500]
    """
    mu = convert(area_m2.to_numpy(dtype="float64", na_value=np.nan), "m2", "亩")
    # A half that binary fractions miss by a billionth is a half all the same.
    hundredths = np.floor(np.round(mu * 100, 6) + 0.5)
    known = np.isfinite(hundredths)
    values = pd.array(np.where(known, hundredths, 0).astype("int64"), dtype="Int64")
    values[~known] = pd.NA
    return pd.Series(values, index=area_m2.index)
