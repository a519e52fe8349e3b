"""Steps no assessment has; in a module of their own, because a process that did not run the tests must find them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pandas as pd
from geopandas import GeoDataFrame

from landplan.errors import CRSError, Fault
from landplan.steps import StepResult


class _OnLand:
    def reads(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class Dies(_OnLand):
    """Ends the process it runs in."""

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        os._exit(1)


@dataclass(frozen=True)
class Refuses(_OnLand):
    """Raises what a caller may catch."""

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        raise CRSError(Fault(en="no.", zh="不行。"))


@dataclass(frozen=True)
class Counts(_OnLand):
    """Looks at more than one parcel: a column for each of them."""

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        return StepResult(pd.DataFrame(1.0, index=parcels.index, columns=[f"n_{len(parcels)}"]))


@dataclass(frozen=True)
class Cuts(_OnLand):
    """Two pieces of each parcel but the last: a cut one of which no shape was made, and the whole."""

    def __call__(self, parcels: GeoDataFrame) -> StepResult:
        shown = parcels.iloc[parcels.index.to_numpy() != "P4"]
        rows = pd.DataFrame(
            {
                "parcel_id": shown.index.repeat(2),
                "layer": "a",
                "feature": ["cut", "whole"] * len(shown),
                "geometry": [shape for whole in shown.geometry for shape in (None, whole)],
            }
        )
        return StepResult(
            pd.DataFrame(index=parcels.index), pieces=GeoDataFrame(rows, geometry="geometry", crs=parcels.crs)
        )
