"""
Maps: one offline page of a judgement, for planners or for investors.

``views`` decides what an audience may see, ``layers`` turns frames into plain data, ``page`` builds the file.
"""

from __future__ import annotations

from landplan.maps.page import MapPage, asset_versions
from landplan.maps.views import draw_map

__all__ = ["MapPage", "asset_versions", "draw_map"]
