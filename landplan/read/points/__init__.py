"""
勘测定界 界址点坐标交换格式 (TXT), read and written.

``grammar`` takes the lines apart, ``rings`` makes polygons of points, ``zones`` finds the plane, ``reader``
puts them together and says what is wrong; ``writer`` writes the edition an office asks for.
"""

from __future__ import annotations

from landplan.read.points.reader import read_points
from landplan.read.points.writer import EDITIONS, Edition, find_edition, write_points

__all__ = ["EDITIONS", "Edition", "find_edition", "read_points", "write_points"]
