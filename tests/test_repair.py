from __future__ import annotations

import numpy as np
import pytest
import shapely
import worlds

from landplan.repair import find_conflicts, reconcile_areas, repair_layer, repair_parcels, set_tangles_apart
from landplan.repair.neighbours import _Crowd


def test_a_bow_tie_is_set_apart_with_every_area_it_could_have():
    tie = shapely.transform(shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)]), worlds.move)
    repaired, issues = repair_parcels(worlds.parcels({"A": tie, "B": worlds.box(0, 0, 50)}))
    assert repaired["is_quarantined"].tolist() == [True, False]
    assert [(issue.code, issue.parcel_id) for issue in issues] == [("GEOM.INVALID", "A")]
    assert "raw 0.00" in issues[0].value and "structure 5000.00" in issues[0].value
    assert "自相交" in issues[0].value


def test_a_spike_without_area_is_mended_and_said():
    corner = [(0, 0), (100, 0), (100, 100), (0, 100), (0, 150), (0, 100)]
    spiked = shapely.transform(shapely.Polygon(corner), worlds.move)
    repaired, issues = repair_parcels(worlds.parcels({"A": spiked}))
    assert repaired.geometry["A"].area == pytest.approx(10000.0)
    assert repaired.geometry["A"].is_valid
    assert [issue.code for issue in issues] == ["GEOM.REPAIRED"]


def test_a_hole_outside_its_shell_is_a_question_and_not_a_guess():
    shell = [(0, 0), (100, 0), (100, 100), (0, 100)]
    hole = [(200, 0), (220, 0), (220, 20), (200, 20)]
    odd = shapely.transform(shapely.Polygon(shell, [hole]), worlds.move)
    repaired, issues = repair_parcels(worlds.parcels({"A": odd}))
    assert repaired["is_quarantined"].tolist() == [True]
    assert "洞在外环之外" in issues[0].value


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        (None, "GEOM.NULL"),
        (shapely.Polygon(), "GEOM.EMPTY"),
        (shapely.LineString([(0, 0), (1, 1)]), "GEOM.TYPE"),
        (shapely.Polygon([(0, 0), (1, float("inf")), (1, 1)]), "GEOM.NONFINITE"),
    ],
)
def test_what_is_no_polygon_is_kept_and_set_apart(shape, code):
    repaired, issues = repair_parcels(worlds.parcels({"A": shape, "B": worlds.box(0, 0, 10)}))
    assert repaired.index.tolist() == ["A", "B"]
    assert repaired["is_quarantined"].tolist() == [True, False]
    assert [issue.code for issue in issues] == [code]


def test_a_point_drawn_twice_is_told_of_its_own_parcel_wherever_it_stands(monkeypatch):
    monkeypatch.setattr("landplan.repair.shapes._AT_ONCE", 2)
    square = np.array([(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)], dtype=float)
    east = np.array([200.0, 0.0])
    # The last point of A is the first of B, and each is drawn once.
    outlines = {
        "A": square[::-1],
        "B": square,
        "C": np.insert(square, 2, square[2], axis=0) + east,
        "D": square + 2 * east,
        "E": np.append(square, square[-1:], axis=0) + 3 * east,
    }
    shapes = {pid: shapely.Polygon(worlds.move(points)) for pid, points in outlines.items()}
    _, issues = repair_parcels(worlds.parcels(shapes))
    assert [(issue.parcel_id, issue.code, issue.cell) for issue in issues] == [
        ("C", "GEOM.DOUBLE_POINT", "1-J3"),
        ("E", "GEOM.DOUBLE_POINT", "1-J5"),
    ]


def test_heights_are_laid_aside_for_measuring():
    repaired, issues = repair_parcels(worlds.parcels({"A": shapely.force_3d(worlds.box(0, 0, 10), 800.0)}))
    assert not repaired.geometry["A"].has_z
    assert [(issue.code, issue.value) for issue in issues] == [("GEOM.Z_DROPPED", 1)]


def test_neighbours_sharing_an_edge_are_no_conflict_but_an_overlap_is_told_to_both():
    frame = worlds.parcels(
        {"A": worlds.box(0, 0, 100), "B": worlds.box(100, 0, 100), "C": worlds.box(190, 0, 100)}
    )
    frame, _ = repair_parcels(frame)
    found = [(issue.code, issue.parcel_id, issue.value) for issue in find_conflicts(frame)]
    assert found == [("GEOM.OVERLAP", "B", "C（1000.00 m2）"), ("GEOM.OVERLAP", "C", "B（1000.00 m2）")]


def test_a_double_drawn_the_other_way_round_is_still_a_double():
    square = worlds.box(0, 0, 100)
    frame, _ = repair_parcels(worlds.parcels({"A": square, "B": shapely.reverse(square)}))
    assert [issue.code for issue in find_conflicts(frame)] == ["GEOM.DUPLICATE", "GEOM.DUPLICATE"]


def test_a_strip_half_a_metre_wide_is_a_sliver():
    frame, _ = repair_parcels(worlds.parcels({"A": worlds.box(0, 0, 200, 0.5), "B": worlds.box(0, 50, 100)}))
    assert [(issue.code, issue.parcel_id) for issue in find_conflicts(frame)] == [("GEOM.SLIVER", "A")]


def test_a_layer_that_cannot_be_measured_somewhere_says_nothing_there():
    tie = shapely.transform(shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)]), worlds.move)
    kept, boxes, issues = repair_layer(worlds.layer(tie, worlds.box(50, 50, 10)), "farmland")
    assert len(kept) == 1
    assert boxes.geometry[0].equals(worlds.box(0, 0, 9))
    assert [(issue.code, issue.layer, issue.row) for issue in issues] == [
        ("GEOM.LAYER_INVALID", "farmland", 1)
    ]


@pytest.mark.parametrize(
    ("registered", "drawn", "codes"),
    [
        (10000.0, 10000.0, []),
        (10000.0, 10000.9, []),
        (10000.0, 10003.0, []),
        (10000.0, 10030.0, ["ATTR.AREA_MISMATCH"]),
        (10000.0, 10300.0, ["ATTR.AREA_WRONG"]),
        (15.0, 10000.0, ["ATTR.UNIT_SUSPECT"]),
        (150000.0, 10000.0, ["ATTR.UNIT_SUSPECT"]),
        (1.0, 10000.0, ["ATTR.UNIT_SUSPECT"]),
        (float("nan"), 10000.0, []),
    ],
)
def test_the_areas_of_document_and_drawing_are_reconciled(registered, drawn, codes):
    frame = worlds.parcels({"A": worlds.box(0, 0, 100)}, area_registered_m2=[registered], area_m2=[drawn])
    _, issues = reconcile_areas(frame)
    assert [issue.code for issue in issues] == codes


def test_edges_near_a_parcel_are_never_counted_too_few():
    rng = np.random.default_rng(7)
    angle = np.linspace(0, 2 * np.pi, 4001)[:-1]
    reach = 500 + 2 * rng.random(4000)
    border = shapely.Polygon(worlds.move(np.column_stack([np.cos(angle), np.sin(angle)]) * reach[:, None]))
    features = np.array([border, worlds.box(-2000, -2000, 4000)])  # short edges, and four long ones
    corners = worlds.move(rng.uniform(-1500, 1400, (200, 2)))
    boxes = np.column_stack([corners, corners + rng.uniform(1, 100, (200, 2))])
    ends = [shapely.get_coordinates(feature) for feature in features]
    low = np.concatenate([np.minimum(points[:-1], points[1:]) for points in ends])
    high = np.concatenate([np.maximum(points[:-1], points[1:]) for points in ends])
    near = [((low <= box[2:]) & (high >= box[:2])).all(axis=1).sum() for box in boxes]
    counted = _Crowd(features).near(boxes)
    assert (counted >= near).all()
    assert counted.max() < 1000
    most = _Crowd(features).most((boxes[:, 2:] - boxes[:, :2]).max(axis=0))
    assert counted.max() <= most < 1500


def test_an_ordinary_parcel_is_measured_against_a_border_of_very_many_points():
    angle = np.linspace(0, 2 * np.pi, 200_001)[:-1]
    border = shapely.Polygon(worlds.move(np.column_stack([np.cos(angle), np.sin(angle)]) * 5000))
    parcels, _ = repair_parcels(worlds.parcels({f"P{k}": worlds.box(k * 150, 0, 100) for k in range(50)}))
    again, issues = set_tangles_apart(parcels, [("farmland", worlds.layer(border))])
    assert issues == []
    assert not again["is_quarantined"].any()
