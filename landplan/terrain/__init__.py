"""
Height, relief, slope and earthwork of each parcel from a digital elevation model, cells weighted by covered area.

    heights       a DEM as a grid in a plane in metres, read window by window
    fractions     the covered share of every cell by exactextract, and the sums over them
    trapezoids    the same sums by signed trapezoids, compiled
    measure       the walk over tiles, and the columns
"""

from landplan.terrain.heights import open_dem
from landplan.terrain.measure import TERRAIN_COLUMNS, measure_terrain

__all__ = ["TERRAIN_COLUMNS", "measure_terrain", "open_dem"]
