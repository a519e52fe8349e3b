"""
Maps: one offline page of a judgement, for planners or for investors, or of one list.

``views`` decides what an audience may see, ``lists`` and ``ledgers`` what a list says of which parcel, ``themes`` how that is
coloured and summed, ``facts`` and ``layers`` turn frames into plain data, ``page`` builds the file.
"""

from __future__ import annotations

from landplan.maps.page import MapPage, asset_versions
from landplan.maps.views import draw_map, name_view

__all__ = ["MapPage", "asset_versions", "draw_map", "name_view"]
