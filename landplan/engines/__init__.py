"""Where the parcel steps of an assessment are run when one processor is not enough; the same steps, the same digits."""

from __future__ import annotations

from landplan.engines.dask import DaskEngine, open_cluster

__all__ = ["DaskEngine", "open_cluster"]
