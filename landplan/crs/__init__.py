"""
Where parcels lie: the measuring zone of each, areas, and transformations that never guess.

Every parcel is measured in its own CGCS2000 3-degree Gauss-Kruger zone: 晋中 straddles 112.5E, and a parcel of six hectares
measured in its neighbour's zone is dozens of square metres off.

* systems  coordinate systems, and frames brought from one to another
* zones    the measuring zone of each parcel
* rings    polygons as plain numbers, and which are valid
* areas    plane and ellipsoidal areas
"""

from landplan.crs.areas import measure_areas
from landplan.crs.rings import Rings, are_valid, lay_out_rings, parts_of, take_apart
from landplan.crs.systems import (
    as_crs,
    crs_name,
    is_true_to_area,
    same_datum,
    to_lonlat,
    transform,
    transform_box,
    working_crs,
)
from landplan.crs.zones import in_measuring_zones, measuring_epsg

__all__ = [
    "Rings",
    "are_valid",
    "as_crs",
    "crs_name",
    "in_measuring_zones",
    "is_true_to_area",
    "lay_out_rings",
    "measure_areas",
    "measuring_epsg",
    "parts_of",
    "same_datum",
    "take_apart",
    "to_lonlat",
    "transform",
    "transform_box",
    "working_crs",
]
