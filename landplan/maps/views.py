"""
Views: what an audience may see, cut from the frames before any markup exists.

The planner sees every parcel with its verdict, reasons and issues, or coloured by what one list says of it; the
investor sees parcels on offer, and of them only the columns the dictionary calls public.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from landplan.attach import zones_on
from landplan.errors import Fault, UsageError
from landplan.maps.facts import GROUPS, HEAD, gather_facts
from landplan.maps.layers import draw_grid, draw_layer, draw_zones, encode_shapes, to_mu
from landplan.maps.lists import LISTS, make_listing
from landplan.maps.page import MapPage, build_page
from landplan.maps.themes import Listing, lay_out
from landplan.schema import column, dictionary
from landplan.verdict import wanted_layers, why_all

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from landplan.project import Project
    from landplan.tables import Assessment, Provenance

__all__ = ["cut_to_audience", "draw_map", "name_view"]

_VIEWS = {"planner": "地块核验一张图", "investor": "可出让地块一张图"}
_FILES = {"planner": "一张图", "investor": "招商地图"}
_NO_FILE_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
# Reasons of rules that were met are half of a page; beyond this many parcels they are only counted.
_FULL_REASONS = 2000


def cut_to_audience(parcels: GeoDataFrame, view: str) -> GeoDataFrame:
    """
    Keep the rows and columns a view may show.

    Parameters
    ----------
    parcels : GeoDataFrame
        Judged parcels. Not changed.
    view : {"planner", "investor"}
        Who will look at the map.

    Returns
    -------
    GeoDataFrame
        For the investor only parcels on offer (``supply_class`` is ``stock``) with public columns; for both
        only declared columns. Quarantined parcels have lost their geometry: it cannot be shown as a boundary.
    """
    kept = parcels
    if view == "investor":
        on_offer = parcels["supply_class"] == "stock" if "supply_class" in parcels else False
        kept = parcels[pd.Series(on_offer, index=parcels.index).fillna(False).to_numpy(dtype=bool)]
    shapes = kept.geometry.to_numpy()
    if "is_quarantined" in kept:
        shapes = np.where(kept["is_quarantined"].fillna(False).to_numpy(dtype=bool), None, shapes)
    names = [name for name in kept.columns if name != "geometry" and _may_show(str(name), view)]
    return kept[[*names, "geometry"]].set_geometry(shapes, crs=parcels.crs)


def _may_show(name: str, view: str) -> bool:
    try:
        declared = column(name)
    except KeyError:
        return False
    return view == "planner" or declared.audience == "public"


def name_view(view: str, audience: str = "planner") -> str:
    """
    Name the file a view is saved under.

    Parameters
    ----------
    view : str
        As ``draw_map`` takes it.
    audience : {"planner", "investor"}
        Whom it is drawn for: the two versions of a register must not take each other's place.

    Returns
    -------
    str
        Without ending; fit for every file system.

    Examples
    --------
    >>> name_view("planner"), name_view("reserve"), name_view("register:zone_labels", "investor")
    ('一张图', '标准地储备库图', '登记簿图 zone_labels 招商')
    """
    if view in _FILES:
        return _FILES[view]
    if view in LISTS:
        return f"{LISTS[view]}图"
    name = _NO_FILE_NAME.sub("_", view.removeprefix("register:"))
    return f"登记簿图 {name}{' 招商' if audience == 'investor' else ''}"


def draw_map(
    assessment: Assessment,
    view: str = "planner",
    *,
    title: str | None = None,
    audience: str = "planner",
    project: Project | None = None,
) -> MapPage:
    """
    Draw an assessment as one page that needs no network.

    Parameters
    ----------
    assessment : Assessment
        What was judged. Not changed.
    view : str
        ``planner``: every parcel by verdict and supply, zones, constraint layers, reasons and issues.
        ``investor``: parcels on offer with their public columns, and the zones.
        A list, for planners: ``stock``, ``incremental``, ``reserve``, ``batches``, ``capacity``, ``buildings``,
        ``readiness``: parcels by what the list says of them, the others pale; ``register:<name>`` any register.
    title : str or None
        Title of the page; by default the name of the project.
    audience : {"planner", "investor"}
        A register may be drawn for an investor: of it and of the parcels only public columns, and only parcels on offer.
    project : Project or None
        What it asks of batches and of the reserve, and the folder of its own declarations of registers; without one the
        defaults, and the registers that are known.

    Returns
    -------
    MapPage
        The same bytes for the same assessment.

    Raises
    ------
    UsageError
        If there is no such view, the audience may not see it, or there is nothing the list could be made of.
    InternalError
        If the page would touch the network.
    """
    is_list = view in LISTS or view.startswith("register:")
    if view not in _VIEWS and not is_list:
        known = ", ".join([*_VIEWS, *LISTS, "register:NAME"])
        raise UsageError(
            Fault(
                en=f"there is no view {str(view)[:40]!r}.",
                zh=f"没有名为“{str(view)[:40]}”的视图。",
                mend_en=f"use one of: {known}",
                mend_zh=f"可用视图：{known}",
            )
        )
    for_whom = view if view == "investor" else audience
    if for_whom not in _VIEWS or (for_whom == "investor" and view in LISTS):
        raise UsageError(
            Fault(
                en=f"the map {view!r} is not drawn for {str(audience)[:40]!r}.",
                zh=f"“{LISTS.get(view, view)}”图不向“{str(audience)[:40]}”提供。",
                mend_en="planner; for investors the view investor, or a register",
                mend_zh="用 planner；面向招商用 investor 视图或登记簿视图",
            )
        )
    provenance = assessment.provenance
    parcels = cut_to_audience(assessment.parcels, for_whom)
    listing = make_listing(assessment, view, parcels, for_whom, project) if is_list else None
    shapes = encode_shapes(parcels)
    held = zones_on(assessment.zones, provenance.as_of)
    bounds = _bounds(shapes) or _bounds(encode_shapes(held))
    anchor = parcels if any(shapes) else assessment.zones
    grid = draw_grid(anchor, bounds) if bounds else None
    titles = provenance.titles if for_whom == "planner" else provenance.items
    data: dict[str, Any] = {
        "view": for_whom,
        "title": title or provenance.project,
        "subtitle": listing.subtitle if listing else _VIEWS[for_whom],
        "is_sample": provenance.is_sample,
        "as_of": provenance.as_of.isoformat(),
        "notice": _notice(for_whom, shapes),
        "verdicts": _counts(parcels, "verdict"),
        "supply": _counts(parcels, "supply_class") if for_whom == "planner" else [],
        "total": {"count": len(parcels), "mu": to_mu(_area(parcels))},
        "undrawn": sum(shape is None for shape in shapes),
        "zones": draw_zones(assessment.zones, provenance.as_of),
        "layers": [],
        "overlaps": None,
        "list": None,
        "grid": grid,
        "bounds": bounds,
        "source": _source(provenance, for_whom, grid),
        **_parcels(parcels, shapes, titles),
    }
    if for_whom == "planner":
        data["layers"], data["overlaps"] = _constraints(assessment)
        data["cited"] = _add_reasons(data["parcels"], assessment)
    if listing:
        _add_list(data, listing, parcels, held)
    return build_page(data)


def _add_list(data: dict[str, Any], listing: Listing, parcels: GeoDataFrame, zones: GeoDataFrame) -> None:
    """Lay the list over the page: what it says of each parcel, or of each zone beside the parcels."""
    items = parcels.index.astype("str")
    areas = parcels["area_m2"] if "area_m2" in parcels else pd.Series(np.nan, index=parcels.index)
    if listing.is_of_zones:
        items = pd.Index(zones["zone_code"].astype("str"))
        areas = pd.Series(0.0, index=items)
        names = zones["zone_name"] if "zone_name" in zones else zones["zone_code"]
        places = [
            {"id": code, "name": _word(name), "v": "", "s": "", "mu": None, "m2": None, "g": shape, "p": None, "z": 1, "f": []}
            for code, name, shape in zip(items, names, encode_shapes(zones), strict=True)
        ]  # fmt: skip
    data["list"], rows = lay_out(listing, items, pd.Series(areas.to_numpy(), index=items))
    if listing.is_of_zones:
        nowhere = [-1] * len(listing.themes)
        data["parcels"] = [
            *({**place, **row} for place, row in zip(places, rows, strict=True)),
            *({**row, "c": nowhere} for row in data["parcels"]),
        ]
        for theme in data["list"]["themes"]:
            for counted in (*theme["classes"], theme["sum"], theme["rest"], theme["total"]):
                del counted["mu"]
    else:
        for row, said in zip(data["parcels"], rows, strict=True):
            row.update(said)
    if not data["list"]["listed"] and not data["notice"]:
        data["notice"] = [f"{listing.group}：无", listing.empty]


def _notice(view: str, shapes: list[Any]) -> list[str]:
    if any(shapes):
        return []
    if shapes:
        return ["地块均无图形", "编号和结论可在右侧查找；补绘边界后重新判定即可上图。"]
    if view == "investor":
        return ["没有可出让地块", "截至评定日，没有列入“存量可出让”的地块。"]
    return ["没有地块", "本次判定没有列入任何地块。"]


def _area(parcels: pd.DataFrame) -> float:
    return float(parcels["area_m2"].sum()) if "area_m2" in parcels else 0.0


def _counts(parcels: GeoDataFrame, name: str) -> list[dict[str, Any]]:
    """One row for each value the dictionary knows, also where no parcel has it."""
    rows = []
    for code, words in dictionary()[name].values.items():
        part = parcels[:0]
        if name in parcels:
            part = parcels[(parcels[name] == code).fillna(False).to_numpy(dtype=bool)]
        rows.append({"key": code, "label": words[0], "count": len(part), "mu": to_mu(_area(part))})
    return rows


def _bounds(shapes: list[Any]) -> tuple[float, float, float, float] | None:
    corners = []
    for polygons in filter(None, shapes):
        for rings in polygons:
            steps = np.array(rings[0], dtype=np.int64).reshape(-1, 2).cumsum(axis=0)
            corners += [steps.min(axis=0), steps.max(axis=0)]
    if not corners:
        return None
    low, high = np.min(corners, axis=0) / 1e6, np.max(corners, axis=0) / 1e6
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _parcels(parcels: GeoDataFrame, shapes: list[Any], titles: dict[str, str]) -> dict[str, Any]:
    fields, texts = gather_facts(parcels, titles)
    codes = {name: parcels[name].tolist() if name in parcels else [None] * len(parcels) for name in HEAD[:4]}
    areas = parcels["area_m2"].tolist() if "area_m2" in parcels else [np.nan] * len(parcels)
    points = _label_points(shapes)
    rows = []
    for at, parcel_id in enumerate(parcels.index):
        rows.append(
            {
                "id": str(parcel_id),
                "name": _word(codes["parcel_name"][at]),
                "v": _word(codes["verdict"][at]),
                "s": _word(codes["supply_class"][at]),
                "mu": to_mu(areas[at]) if np.isfinite(areas[at]) else None,
                "m2": round(areas[at], 2) if np.isfinite(areas[at]) else None,
                "g": shapes[at],
                "p": points[at],
                "f": [[number, text[at]] for number, text in enumerate(texts) if text[at]],
            }
        )
    return {"groups": list(GROUPS), "fields": fields, "parcels": rows}


def _label_points(shapes: list[Any]) -> list[list[int] | None]:
    """A place inside each parcel for its number: a U-shaped parcel's centroid lies in its neighbour."""
    points: list[list[int] | None] = []
    for polygons in shapes:
        if polygons is None:
            points.append(None)
            continue
        parts = []
        for rings in polygons:
            shell, *holes = [np.array(ring).reshape(-1, 2).cumsum(axis=0) for ring in rings]
            if len(shell) >= 3:
                parts.append(shapely.Polygon(shell, [hole for hole in holes if len(hole) >= 3]))
        largest = max(parts, key=lambda part: part.area, default=None)
        inner = None if largest is None else shapely.get_coordinates(largest.representative_point())[0]
        points.append(None if inner is None else [round(c) for c in inner])
    return points


def _word(value: object) -> str:
    return "" if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]


def _constraints(assessment: Assessment) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    titles = assessment.provenance.layers
    names = [*(n for n in titles if n in assessment.layers), *sorted(set(assessment.layers) - set(titles))]
    wanted = wanted_layers(assessment.findings, [*names, *titles])
    layers = [draw_layer(n, assessment.layers[n], titles, is_wanted=n in wanted) for n in names]
    pieces = assessment.overlaps
    if (
        "layer" in pieces
    ):  # pieces of zones and of evaluations are kept in the same table, and are no conflict
        harmful = {*names, *titles} - wanted
        pieces = pieces[pieces["layer"].isin(list(harmful)).to_numpy(dtype=bool)]
    area = float(pieces["overlap_m2"].sum()) if "overlap_m2" in pieces else 0.0
    shapes = [shape for shape in encode_shapes(pieces) if shape]
    return [layer for layer in layers if layer["g"]], {"count": len(pieces), "mu": to_mu(area), "g": shapes}


def _add_reasons(rows: list[dict[str, Any]], assessment: Assessment) -> list[str]:
    """Give each row its reasons; return the references, which are the same words for hundreds of parcels."""
    cited: dict[str, int] = {}
    reasons = why_all(assessment, "zh")
    for row in rows:
        given = [(reason.status, reason.text) for reason in reasons.get(row["id"], ())]
        row["q"] = [text for status, text in given if status == "issue"]
        given = [reason for reason in given if reason[0] != "issue"]
        if len(rows) > _FULL_REASONS:
            row["passed"] = sum(status == "pass" for status, _ in given)
            given = [reason for reason in given if reason[0] != "pass"]
        row["r"] = []
        for status, text in given:
            said, mark, reference = text.partition("依据：")
            row["r"].append([status, said, cited.setdefault(mark + reference, len(cited))])
    return list(cited)


def _source(provenance: Provenance, view: str, grid: dict[str, Any] | None) -> list[str]:
    named = [f"{b.name}（核对 {b.checked_on}）" if b.checked_on else b.name for b in provenance.books]
    books = "、".join(named)
    lines = [f"评定日 {provenance.as_of.isoformat()}"]
    if books:
        lines.append(f"规则集 {books}")
    if grid:
        lines.append(f"公里网 {grid['plane']}")
    if view == "planner" and {"in", "out"} <= set(provenance.counts):
        counts = provenance.counts
        lines.append(f"收到 {counts['in']} 宗，列入 {counts['out']} 宗，剔除 {counts.get('dropped', 0)} 宗")
    lines.append(f"landplan {provenance.version}")
    return lines
