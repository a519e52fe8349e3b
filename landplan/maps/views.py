"""
Views: what an audience may see, cut from the frames before any markup exists.

The planner sees every parcel with its verdict, reasons and issues; the investor sees parcels on offer, and of
them only the columns the dictionary calls public.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from landplan.attach import zones_on
from landplan.errors import Fault, UsageError
from landplan.maps.layers import draw_grid, draw_layer, draw_zones, encode_shapes, to_mu
from landplan.maps.page import MapPage, build_page
from landplan.schema import Column, column, dictionary, display
from landplan.verdict import why_all

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from landplan.tables import Assessment, Provenance

__all__ = ["cut_to_audience", "draw_map"]

_VIEWS = {"planner": "地块核验一张图", "investor": "可出让地块一张图"}
_GROUPS = (
    *("基本信息", "控制指标", "企业承诺", "实测指标", "区域评估"),
    *("前期工作", "压占情况", "地形", "判定", "内部信息"),
)
_HEAD = ("parcel_id", "parcel_name", "verdict", "supply_class", "area_m2", "supply_reason_en")
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


def draw_map(assessment: Assessment, view: str = "planner", *, title: str | None = None) -> MapPage:
    """
    Draw an assessment as one page that needs no network.

    Parameters
    ----------
    assessment : Assessment
        What was judged. Not changed.
    view : {"planner", "investor"}
        ``planner``: every parcel by verdict and supply, zones, constraint layers, reasons and issues.
        ``investor``: parcels on offer with their public columns, and the zones.
    title : str or None
        Title of the page; by default the name of the project.

    Returns
    -------
    MapPage
        The same bytes for the same assessment.

    Raises
    ------
    UsageError
        If there is no such view.
    InternalError
        If the page would touch the network.
    """
    if view not in _VIEWS:
        known = ", ".join(_VIEWS)
        raise UsageError(
            Fault(
                en=f"there is no view {str(view)[:40]!r}.",
                zh=f"没有名为“{str(view)[:40]}”的视图。",
                mend_en=f"use one of: {known}",
                mend_zh=f"可用视图：{known}",
            )
        )
    provenance = assessment.provenance
    parcels = cut_to_audience(assessment.parcels, view)
    shapes = encode_shapes(parcels)
    bounds = _bounds(shapes) or _bounds(encode_shapes(zones_on(assessment.zones, provenance.as_of)))
    anchor = parcels if any(shapes) else assessment.zones
    grid = draw_grid(anchor, bounds) if bounds else None
    titles = {**provenance.layers, **provenance.items} if view == "planner" else provenance.items
    data: dict[str, Any] = {
        "view": view,
        "title": title or provenance.project,
        "subtitle": _VIEWS[view],
        "is_sample": provenance.is_sample,
        "as_of": provenance.as_of.isoformat(),
        "notice": _notice(view, shapes),
        "verdicts": _counts(parcels, "verdict"),
        "supply": _counts(parcels, "supply_class") if view == "planner" else [],
        "total": {"count": len(parcels), "mu": to_mu(_area(parcels))},
        "undrawn": sum(shape is None for shape in shapes),
        "zones": draw_zones(assessment.zones, provenance.as_of),
        "layers": [],
        "overlaps": None,
        "grid": grid,
        "bounds": bounds,
        "source": _source(provenance, view, grid),
        **_parcels(parcels, shapes, titles),
    }
    if view == "planner":
        data["layers"], data["overlaps"] = _constraints(assessment)
        data["cited"] = _add_reasons(data["parcels"], assessment)
    return build_page(data)


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
    fields, texts = _facts(parcels, titles)
    codes = {name: parcels[name].tolist() if name in parcels else [None] * len(parcels) for name in _HEAD[:4]}
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
    return {"groups": list(_GROUPS), "fields": fields, "parcels": rows}


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


def _facts(parcels: GeoDataFrame, titles: dict[str, str]) -> tuple[list[list[Any]], list[list[str]]]:
    """Labels and printed values of every column that is not in the heading, in the order they are read."""
    order = {name: at for at, name in enumerate(dictionary())}
    found = []
    for at, name in enumerate(parcels.columns):
        if name == "geometry" or name in _HEAD:
            continue
        declared = column(str(name))
        base = next((n for n in order if _is_made_from(declared, n)), "")
        values = display(parcels[[name]], titles=titles).iloc[:, 0].tolist()
        texts = [_print(value, declared) for value in values]
        if any(texts):
            key = (_GROUPS.index(_group(declared)), order.get(base, 999), at)
            found.append((key, declared.label("zh", titles), texts))
    found.sort(key=lambda fact: fact[0])
    return [[key[0], label] for key, label, _ in found], [texts for _, _, texts in found]


def _is_made_from(declared: Column, pattern: str) -> bool:
    plain = declared.name.removeprefix("promised.").removeprefix("actual.")
    return plain == (pattern.replace("*", declared.stem) if declared.stem else pattern)


def _group(declared: Column) -> str:
    name = declared.name
    for beginning, group in (
        ("promised.", "企业承诺"),
        ("actual.", "实测指标"),
        ("evaluation_", "区域评估"),
        ("event_", "前期工作"),
    ):
        if name.startswith(beginning):
            return group
    if declared.made_by == "overlay":
        return "压占情况"
    if declared.made_by == "terrain":
        return "地形"
    if declared.made_by in ("verdict", "supply"):
        return "判定"
    if declared.audience == "planner":
        return "内部信息"
    return "控制指标" if declared.bound or name == "environment_standard" else "基本信息"


def _print(value: Any, declared: Column) -> str:
    if value is None or pd.isna(value):
        return ""
    if not declared.is_quantity and declared.kind != "number":
        return str(value)
    number = float(value) + 0.0
    # Areas are certified to 0.01; other figures keep what people write, without a tail of zeros.
    text = f"{number:,.2f}" if declared.kind == "area" else f"{number:,.4f}".rstrip("0").rstrip(".")
    return f"{text} {declared.shown_in}" if declared.shown_in not in ("", "1") else text


def _constraints(assessment: Assessment) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    titles = assessment.provenance.layers
    names = [*(n for n in titles if n in assessment.layers), *sorted(set(assessment.layers) - set(titles))]
    wanted = _wanted(assessment.findings, [*names, *titles])
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


def _wanted(findings: pd.DataFrame, names: Iterable[str]) -> set[str]:
    """Layers a parcel should lie within, as the rules that were applied say; to overlap them is no fault."""
    if not {"indicator", "test"} <= set(findings.columns):
        return set()
    covers = (findings["test"] == "covered").fillna(False).to_numpy(dtype=bool)
    covered = set(findings.loc[covers, "indicator"].dropna())
    return {name for name in names if f"{name}_overlap_share" in covered}


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
