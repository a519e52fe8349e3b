"""
Drawings (DXF): closed boundaries as polygons, the numbers written inside them, and what could not be used.

``drawing`` opens the file and takes blocks apart, ``outline`` gives the points of an entity, ``faces`` closes
loose lines, ``labels`` tells which text is a parcel's number, ``reader`` puts them together.
"""

from __future__ import annotations

from landplan.read.cad.reader import list_drawing_layers, read_drawing

__all__ = ["list_drawing_layers", "read_drawing"]
