"""From files to shares without a geometry between: what the bytes give must be what the shapes give."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
import worlds
from hypothesis import given
from hypothesis import strategies as st
from test_overlay_engine import PROPERTY, county, drawings

from landplan.crs import measure_areas
from landplan.errors import CRSError
from landplan.overlay import (
    Ask,
    FileLayer,
    compiled,
    draw_pieces,
    files,
    find_pieces,
    kernel,
    measure_shares,
    share_files,
    together,
)
from landplan.overlay.grid import lay_field, near_of, sum_rings
from landplan.overlay.pieces import find_shares
from landplan.overlay.rings import join_rings, rings_of, rings_of_lists, rings_of_wkb


def same(one, other):
    assert one.count == other.count
    for name in ("coordinates", "begins", "signs", "boxes", "rows"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def shares(found):
    return list(zip(found.parcel.tolist(), found.code.tolist(), found.area.tolist(), strict=True))


# ------------------------------------------------------------------ outlines


@PROPERTY
@given(drawings())
def test_outlines_read_from_bytes_are_those_of_the_shapes(drawing):
    shapes = np.append(drawing[0], drawing[1])
    if len(shapes):
        same(rings_of_wkb([pa.array(shapely.to_wkb(shapes))]), rings_of(shapes))


def ring_of_boxes():
    holed = shapely.box(0, 0, 9, 9).difference(shapely.box(2, 2, 4, 4)).difference(shapely.box(5, 5, 6, 6))
    parts = shapely.MultiPolygon([shapely.box(20, 0, 22, 2), holed])
    return np.array([holed, None, parts, shapely.Polygon(), shapely.box(1, 1, 2, 2)], dtype=object)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_missing_and_empty_shapes_have_no_ring(kind):
    shapes = ring_of_boxes()
    found = rings_of_wkb([pa.array(shapely.to_wkb(shapes), type=kind)])
    same(found, rings_of(shapes))
    assert found.rows.tolist() == [0, 0, 0, 2, 2, 2, 2, 4]
    assert np.isnan(found.bounds()[[1, 3]]).all()


@pytest.mark.parametrize("flavor", ["iso", "extended"])
def test_heights_are_left_behind(flavor):
    shapes = ring_of_boxes()[[0, 2]]
    raised = shapely.to_wkb(shapely.force_3d(shapes, z=7.0), flavor=flavor)
    same(rings_of_wkb([pa.array(raised)]), rings_of(shapes))


def test_bytes_written_the_other_way_round_are_read_all_the_same():
    shapes = ring_of_boxes()[[0, 2]]
    same(rings_of_wkb([pa.array(shapely.to_wkb(shapes, byte_order=0))]), rings_of(shapes))


def test_a_row_that_is_no_polygon_or_ends_too_soon_is_refused():
    whole = shapely.to_wkb(shapely.box(0, 0, 1, 1))
    with pytest.raises(shapely.errors.ShapelyError):
        rings_of_wkb([pa.array([whole, whole[:-9]])])
    with pytest.raises(ValueError, match="polygons"):
        rings_of_wkb([pa.array([whole, shapely.to_wkb(shapely.Point(1, 1))])])


def test_a_part_of_a_column_begins_where_it_begins():
    column = pa.array(shapely.to_wkb(ring_of_boxes()))
    same(rings_of_wkb([column.slice(2, 2)]), rings_of(ring_of_boxes()[2:4]))
    same(rings_of_wkb([column.slice(0, 2), column.slice(2)]), rings_of(ring_of_boxes()))
    same(
        join_rings([rings_of(ring_of_boxes()[:2]), rings_of(ring_of_boxes()[2:])]), rings_of(ring_of_boxes())
    )


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("rows", [[0, 3, 4], [0, 2, 3, 4]])
def test_outlines_read_from_geoarrow_are_those_of_the_shapes(interleaved, rows):
    shapes = ring_of_boxes()[rows]
    column = geopandas.GeoSeries(shapes).to_arrow(geometry_encoding="geoarrow", interleaved=interleaved)
    same(rings_of_lists(pa.array(column)), rings_of(shapes))


@PROPERTY
@given(drawings())
def test_outlines_left_out_because_no_parcel_is_near_change_no_digit(drawing):
    shapes, features, codes = drawing
    if not len(shapes) or not len(features):
        return
    parcels, binary = rings_of(shapes), [pa.array(shapely.to_wkb(features))]
    near = near_of(parcels.bounds(), 4.0)
    everything = sum_rings(parcels, [(rings_of_wkb(binary), codes)], size=4.0)
    chosen = sum_rings(parcels, [(rings_of_wkb(binary, near), codes)], size=4.0)
    assert shares(chosen) == shares(everything)


def test_outlines_far_from_every_parcel_are_not_taken():
    parcels = rings_of(np.array([shapely.box(0, 0, 50, 50)]))
    layer = np.array([shapely.box(x, 0, x + 10, 10) for x in (5000, 20, 9000)])
    found = rings_of_wkb([pa.array(shapely.to_wkb(layer))], near_of(parcels.bounds()))
    assert found.count == 3
    assert found.rows[~np.isnan(found.boxes[:, 0])].tolist() == [1]


# ------------------------------------------------------------------ layers over one another


@PROPERTY
@given(drawings())
def test_layers_measured_together_are_as_measured_one_by_one(drawing):
    shapes, features, codes = drawing
    if not len(shapes) or len(features) < 2:
        return
    parcels, layer = rings_of(shapes), rings_of(features)
    alone = {row[:2]: row[2] for row in shares(sum_rings(parcels, [(layer, codes)]))}
    twice = sum_rings(parcels, [(layer, codes), (layer, codes + 3)])
    assert {row[:2]: row[2] for row in shares(twice)} == {
        (parcel, code + shift): area for (parcel, code), area in alone.items() for shift in (0, 3)
    }


@PROPERTY
@given(drawings(), st.lists(st.booleans(), min_size=3, max_size=3))
def test_no_digit_of_a_layer_hangs_on_the_layers_measured_with_it(drawing, once):
    """Each code is judged by its own outlines, where some cover themselves and some are added up."""
    shapes, features, codes = drawing
    if not len(shapes) or len(features) < 2:
        return
    parcels, layer = rings_of(shapes), rings_of(features)
    size = int(codes.max()) + 1
    own = np.array(once[:size])
    field = lay_field(parcels)
    for k in range(size):
        mine = np.flatnonzero(codes == k)
        if not len(mine):
            continue
        alone = sum_rings(field, [(rings_of(features[mine]), codes[mine])], once=own)
        among = sum_rings(field, [(layer, codes), (layer, codes + size)], once=np.concatenate([own, ~own]))
        expected = {row[:2]: row[2] for row in shares(alone) if row[2]}
        assert {row[:2]: row[2] for row in shares(among) if row[1] == k and row[2]} == expected


def test_a_parcel_under_a_layer_without_an_edge_near_it_is_whole_to_the_last_digit():
    lot = worlds.box(0, 0, 90).difference(worlds.box(30, 30, 20))
    frame = worlds.parcels({"A": lot, "B": worlds.box(500.125, 0, 33.3), "C": worlds.box(2000, 0, 700)})
    frame = frame.join(measure_areas(frame))
    twice = worlds.layer(worlds.box(-5000, -5000, 20000), worlds.box(-6000, -6000, 20000))
    for count, times in (("cover", 1), ("sum", 2)):
        found = measure_shares(frame, twice, count=count, method="fast")
        assert found["overlap_m2"].tolist() == pytest.approx((frame["area_m2"] * times).tolist(), rel=1e-14)


def test_what_is_announced_is_measured_together_and_answered_as_if_it_were_alone():
    frame, layer = county(60)
    extent = worlds.layer(worlds.box(-9000, -9000, 300_000))
    alone = [
        find_shares(frame, layer, "cls", method="fast"),
        find_shares(frame, layer, method="fast"),
        find_shares(frame, extent, method="fast"),
        find_shares(frame.iloc[::2], layer, "cls", method="fast"),
        find_shares(frame, layer, "cls", count="sum", method="fast"),
    ]
    with together([Ask(layer, "cls"), Ask(layer), Ask(extent), Ask(layer, "cls")]):
        among = [
            find_shares(frame, layer, "cls", method="fast"),
            find_shares(frame, layer, method="fast"),
            find_shares(frame.assign(beside=1), extent, method="fast"),
            find_shares(frame.iloc[::2], layer, "cls", method="fast"),  # other parcels: nothing is remembered
            find_shares(frame, layer, "cls", count="sum", method="fast"),  # never announced
        ]
        again = find_shares(frame, layer, "cls", method="fast")
        third = find_shares(frame, layer, "cls", method="fast")  # announced twice, asked three times
    for one, other in zip([*alone, alone[0], alone[0]], [*among, again, third], strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_parcels_of_the_same_areas_in_another_order_are_other_parcels():
    frame = worlds.parcels({"A": worlds.box(0, 0, 50), "B": worlds.box(100, 0, 50)})
    frame = frame.join(measure_areas(frame))
    layer = worlds.layer(worlds.box(0, 0, 50))
    with together([Ask(layer), Ask(layer)]):
        assert measure_shares(frame, layer, method="fast")["parcel_id"].tolist() == ["A"]
        assert measure_shares(frame.iloc[::-1], layer, method="fast")["parcel_id"].tolist() == ["A"]


def covered(parcels, features, codes):
    once = np.ones(int(codes.max()) + 1, dtype=bool)
    found = sum_rings(rings_of(parcels), [(rings_of(features), codes)], once=once)
    table = np.zeros((len(parcels), len(once)))
    table[found.parcel, found.code] = found.area
    return table


def test_land_under_two_features_of_a_code_counts_once_and_of_two_codes_twice():
    parcels = shapely.box([0, 1000, 2000], 0, [50, 1050, 2050], 50)
    features = shapely.box([0, 40, 1000, 1025, 2000], 0, [41, 90, 1025, 1050, 2010], 50)
    one = covered(parcels, features, np.zeros(5, np.int64))
    assert one[:, 0].tolist() == pytest.approx([2500.0, 2500.0, 500.0])
    two = covered(parcels, features, np.array([0, 1, 0, 0, 0]))
    assert two.tolist() == [
        pytest.approx([2050.0, 500.0]),
        pytest.approx([2500.0, 0.0]),
        pytest.approx([500.0, 0.0]),
    ]


def test_a_feature_wholly_inside_another_counts_once_even_where_no_edge_is_near():
    parcels = shapely.box([500], [500], [520], [520])
    features = shapely.box([0, 100, 200], [0, 100, 200], [1000, 900, 900], [1000, 900, 900])
    assert covered(parcels, features, np.zeros(3, np.int64))[0, 0] == pytest.approx(400.0)


@PROPERTY
@given(drawings(), st.sampled_from([1.0, 4.0, 64.0]))
def test_cover_is_the_area_under_the_union_whatever_the_grid(drawing, size):
    shapes, features, _ = drawing
    if not len(shapes) or not len(features):
        return
    once = np.ones(1, dtype=bool)
    codes = np.zeros(len(features), np.int64)
    found = sum_rings(rings_of(shapes), [(rings_of(features), codes)], once=once, size=size)
    areas = np.zeros(len(shapes))
    areas[found.parcel] = found.area
    expected = shapely.area(shapely.intersection(shapes, shapely.union_all(features)))
    assert (np.abs(areas - expected) <= 2 * np.maximum(1e-6, 1e-9 * shapely.area(shapes))).all()


@PROPERTY
@given(drawings(), st.integers(0, 8))
def test_law_1_what_counts_once_has_the_same_digits_in_any_company(drawing, cut):
    shapes, features, codes = drawing
    if not len(features):
        return
    parts = [covered(half, features, codes) for half in (shapes[:cut], shapes[cut:])]
    assert np.concatenate(parts).tolist() == covered(shapes, features, codes).tolist()


# ------------------------------------------------------------------ files


@pytest.fixture
def saved(tmp_path):
    frame, layer = county(80)
    frame.reset_index()[["parcel_id", "geometry"]].to_parquet(tmp_path / "parcels.parquet", row_group_size=30)
    layer.to_parquet(tmp_path / "land.parquet", row_group_size=9, write_covering_bbox=True)
    return frame, layer, tmp_path


def as_table(found, frame):
    return pd.DataFrame(
        {"parcel_id": frame.index[found.parcel], "feature": found.value, "overlap_m2": found.area}
    )


def test_shares_from_files_are_those_of_frames(saved):
    frame, layer, folder = saved
    found = share_files(folder / "parcels.parquet", {"land": (folder / "land.parquet", "cls")})["land"]
    expected = measure_shares(frame, layer, "cls", count="sum", method="exact")
    pd.testing.assert_frame_equal(
        as_table(found, frame), expected.drop(columns="overlap_share"), rtol=1e-9, check_dtype=False
    )


def test_a_layer_summed_part_by_part_is_the_layer(saved, monkeypatch):
    _, _, folder = saved
    layers = {"land": (folder / "land.parquet", "cls")}
    whole = share_files(folder / "parcels.parquet", layers)["land"]
    monkeypatch.setattr(files, "_AT_ONCE", 1)
    parts = share_files(folder / "parcels.parquet", layers)["land"]
    assert whole.parcel.tolist() == parts.parcel.tolist()
    assert whole.value.tolist() == parts.value.tolist()
    np.testing.assert_allclose(parts.area, whole.area, rtol=1e-12)


def test_several_layers_are_measured_at_once_and_kept_apart(saved):
    _, layer, folder = saved
    layer.assign(number=np.arange(len(layer))).to_parquet(
        folder / "again.parquet", geometry_encoding="geoarrow"
    )
    layers = {"land": (folder / "land.parquet", "cls"), "again": (folder / "again.parquet", "number")}
    found = share_files(folder / "parcels.parquet", layers, workers=1)
    alone = {name: share_files(folder / "parcels.parquet", {name: layers[name]})[name] for name in layers}
    for name in layers:
        assert found[name].value.tolist() == alone[name].value.tolist()
        np.testing.assert_allclose(found[name].area, alone[name].area, rtol=1e-12)
    assert found["again"].value.dtype.kind == "i"
    assert found["again"].area.sum() == pytest.approx(found["land"].area.sum())


def test_a_layer_in_another_plane_is_refused(saved):
    _, layer, folder = saved
    layer.to_crs(4548).to_parquet(folder / "other.parquet")
    with pytest.raises(CRSError, match="4548"):
        share_files(folder / "parcels.parquet", {"land": (folder / "other.parquet", "cls")})


def test_a_parquet_without_geometry_is_no_layer(saved):
    _, _, folder = saved
    pd.DataFrame({"cls": ["x"]}).to_parquet(folder / "plain.parquet")
    with pytest.raises(ValueError, match="GeoParquet"):
        share_files(folder / "parcels.parquet", {"land": (folder / "plain.parquet", "cls")})


def test_files_are_measured_without_loading_a_geometry_library(saved):
    _, _, folder = saved
    code = (
        "import sys, json; from pathlib import Path; from landplan.overlay import share_files; p = Path(sys.argv[1]);"
        "found = share_files(p / 'parcels.parquet', {'land': (p / 'land.parquet', 'cls')})['land'];"
        "print(json.dumps([len(found.area) > 0, *(m in sys.modules for m in ('shapely', 'geopandas', 'pandas'))]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == [True, False, False, False]


@pytest.mark.parametrize("name", ["land.parquet", "land.gpkg", "land.fgb"])
@pytest.mark.parametrize("epsg", [None, 4490])
def test_a_layer_that_stays_in_its_file_measures_as_one_in_memory(saved, monkeypatch, name, epsg):
    frame, layer, folder = saved
    moved = layer if epsg is None else layer.to_crs(epsg)
    if name.endswith("parquet"):
        moved.to_parquet(folder / name, write_covering_bbox=True)
    else:
        moved.to_file(folder / name)
    monkeypatch.setattr("landplan.overlay.pieces._TILE", 9)
    kept = FileLayer(folder / name, ("cls",))
    for method in ("exact", "fast"):
        pd.testing.assert_frame_equal(
            measure_shares(frame, kept, "cls", method=method),
            measure_shares(frame, moved, "cls", method=method),
            rtol=1e-9,
        )
    fetched = find_pieces(frame, kept, "land", "cls")
    held = find_pieces(frame, moved, "land", "cls")
    pd.testing.assert_frame_equal(fetched.drop(columns="geometry"), held.drop(columns="geometry"), rtol=1e-9)


def test_an_invalid_feature_is_never_fetched_unmended(saved):
    frame, _, folder = saved
    west, south, *_ = frame.total_bounds
    tie = shapely.Polygon([(west, south), (west + 90, south + 90), (west + 90, south), (west, south + 90)])
    geopandas.GeoDataFrame({"cls": ["x"]}, geometry=[tie], crs=frame.crs).to_parquet(
        folder / "tie.parquet", write_covering_bbox=True
    )
    with pytest.raises(ValueError, match="repair"):
        measure_shares(frame, FileLayer(folder / "tie.parquet", ("cls",)), "cls")

    def mend(fetched):
        return fetched.set_geometry(shapely.make_valid(fetched.geometry.values))

    found = measure_shares(frame, FileLayer(folder / "tie.parquet", ("cls",), mend=mend), "cls")
    assert found["overlap_m2"].sum() <= 90 * 90 / 2 + 1e-6


# ------------------------------------------------------------------ pieces only where they are shown


@pytest.mark.parametrize("feature", [None, "cls"])
def test_pieces_left_out_have_the_same_areas_and_are_cut_when_they_are_shown(feature):
    frame, layer = county(60)
    whole = find_pieces(frame, layer, "land", feature, method="fast")
    bare = find_pieces(frame, layer, "land", feature, method="fast", drawn=False)
    pd.testing.assert_frame_equal(bare.drop(columns="geometry"), whole.drop(columns="geometry"), rtol=1e-9)
    astride = (bare["overlap_share"] < 1).to_numpy()
    assert bare.geometry.isna().all()
    assert astride.any()
    assert not astride.all()
    shown = bare.iloc[::3]
    drawn = draw_pieces(shown, frame, layer, feature)
    assert drawn.geometry.area.to_numpy() == pytest.approx(shown["overlap_m2"].to_numpy(), rel=1e-9)
    assert drawn.index.tolist() == shown.index.tolist()


def test_a_path_is_all_that_travels(saved):
    import pickle

    _, _, folder = saved
    kept = FileLayer(folder / "land.parquet", ("cls",))
    again = pickle.loads(pickle.dumps(kept))
    assert again == kept
    assert isinstance(again.path, Path)


def test_compiled_code_is_made_anew_when_any_part_of_it_changes():
    folder = Path(compiled.__file__).parent
    users = {
        path.stem for path in folder.glob("*.py") if "\n@compile_loop\n" in path.read_text(encoding="utf-8")
    }
    assert users == set(compiled._MODULES)
    assert kernel.share_row._cache._cache_file._source_stamp == compiled._stamp()
