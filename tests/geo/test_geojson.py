import json
import math
import time
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import Point, Polygon

from geo.errors import GeoError, Position
from geo.geojson import (
    GEOMETRY_TYPES,
    IMPORT_LIMITS,
    POLYGONAL,
    REQUEST_LIMITS,
    Feature,
    Limits,
    Note,
    dump_feature_collection,
    dump_geometry,
    parse_geojson,
)
from tests.geo.shapes import lattices
from tests.shared_data import shared_json

RING = [[13.0, 52.0], [14.0, 52.0], [14.0, 53.0], [13.0, 52.0]]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=15,
)
ordinates: st.SearchStrategy[Any] = st.one_of(
    st.floats(-90, 90), st.floats(), st.integers(), st.sampled_from([None, "1", True, [], {}])
)
arrays = st.recursive(
    st.lists(ordinates, max_size=5), lambda inner: st.lists(inner, max_size=5), max_leaves=12
)
types = st.sampled_from([*sorted(GEOMETRY_TYPES), "Feature", "FeatureCollection", "Nonsense"])
broken_geometries = st.fixed_dictionaries(
    {"type": types},
    optional={
        "coordinates": st.one_of(arrays, json_values),
        "geometries": json_values,
        "bbox": st.one_of(st.lists(ordinates, max_size=7), json_values),
        "properties": json_values,
        "crs": json_values,
    },
)
broken_features = st.fixed_dictionaries(
    {"type": st.just("Feature")},
    optional={
        "geometry": broken_geometries | json_values,
        "properties": json_values,
        "id": json_values,
    },
)
broken_documents = st.one_of(
    json_values,
    broken_geometries,
    broken_features,
    st.fixed_dictionaries(
        {
            "type": st.just("FeatureCollection"),
            "features": st.lists(broken_features, max_size=3),
        }
    ),
)


@given(broken_documents)
def test_any_object_is_read_or_refused_and_what_is_read_is_valid(obj):
    try:
        parsed = parse_geojson(obj)
    except GeoError:
        return
    for feature in parsed.features:
        assert feature.geometry is None or shapely.is_valid(feature.geometry)


@given(st.lists(lattices(most=3), max_size=2))
def test_what_is_written_reads_as_the_same_features(several):
    features = [
        Feature(geometry=cell, properties={"code": code, "名": None}, id=code)
        for lattice in several
        for code, cell in lattice.cells.items()
    ]
    text = json.dumps(dump_feature_collection(features))
    parsed = parse_geojson(json.loads(text))
    assert not parsed.notes
    assert [(each.id, each.properties) for each in parsed.features] == [
        (each.id, each.properties) for each in features
    ]
    for read, written in zip(parsed.features, features, strict=True):
        assert read.geometry is not None
        assert shapely.equals_identical(read.geometry, written.geometry)
    assert dump_feature_collection(parsed.features) == json.loads(text)


@given(lattices(most=3), st.integers(1, 7))
def test_a_pointer_leads_to_the_broken_position(lattice, number):
    document = dump_feature_collection(
        [Feature(geometry=cell) for cell in lattice.cells.values()]
    )
    position = document["features"][number]["geometry"]["coordinates"][0][2]
    position[1] = "25.0"
    with pytest.raises(GeoError) as fault:
        parse_geojson(document)
    assert fault.value.pointer == f"/features/{number}/geometry/coordinates/0/2"
    found: Any = document
    for step in fault.value.pointer.split("/")[1:]:
        found = found[int(step)] if isinstance(found, list) else found[step]
    assert found is position


@given(st.permutations(["type", "geometry", "properties"]))
def test_the_order_of_members_does_not_matter(names):
    whole = {"type": "Feature", "geometry": None, "properties": {"a": 1}}
    parsed = parse_geojson({name: whole[name] for name in names})
    assert parsed.features == (Feature(geometry=None, properties={"a": 1}),)


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def refusal(obj: object, limits: Limits = REQUEST_LIMITS) -> tuple[str, str]:
    with pytest.raises(GeoError) as fault:
        parse_geojson(obj, limits=limits)
    return fault.value.pointer, fault.value.reason


NAN, INF, HUGE = float("nan"), float("inf"), 10**400


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        ([NAN, 1.0], "not-finite"),
        ([1.0, INF], "not-finite"),
        ([1.0, 1.0, NAN], "not-finite"),
        ([HUGE, 1], "out-of-range"),
        ([1, -HUGE], "out-of-range"),
        ([39.9, 116.4], "out-of-range"),
        ([180.1, 0.0], "out-of-range"),
        ([True, 1.0], "not-a-number"),
        ([None, 1.0], "not-a-number"),
        ([[1.0], 1.0], "not-a-number"),
        ([1.0], "coordinates-shape"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], "coordinates-shape"),
        ("1,2", "coordinates-shape"),
        ({"0": 1, "1": 2}, "coordinates-shape"),
    ],
)
def test_positions_that_are_none(position, reason):
    assert refusal({"type": "Point", "coordinates": position}) == ("/coordinates", reason)
    line = {"type": "LineString", "coordinates": [[0, 0], position]}
    assert refusal(line) == ("/coordinates/1", reason)


@pytest.mark.parametrize(
    ("obj", "pointer", "reason"),
    [
        (None, "", "not-an-object"),
        ([], "", "not-an-object"),
        ({}, "/type", "type-missing"),
        ({"type": ["Point"]}, "/type", "type-missing"),
        ({"type": "Point"}, "/coordinates", "member-missing"),
        ({"type": "MultiPoint", "coordinates": []}, "/coordinates", "too-few-positions"),
        ({"type": "Polygon", "coordinates": []}, "/coordinates", "empty-geometry"),
        ({"type": "MultiPolygon", "coordinates": []}, "/coordinates", "empty-geometry"),
        ({"type": "MultiPolygon", "coordinates": [[]]}, "/coordinates/0", "empty-geometry"),
        ({"type": "MultiLineString", "coordinates": []}, "/coordinates", "empty-geometry"),
        (polygon(RING, RING[:3]), "/coordinates/1", "too-few-positions"),
        (polygon([[0, 0], [1, 0], [1, 1], [0, 1]]), "/coordinates/0", "ring-not-closed"),
        ({"type": "GeometryCollection"}, "/geometries", "geometries-not-array"),
        (
            {"type": "LineString", "coordinates": [[179, 0], [-179, 0]]},
            "/coordinates/1",
            "crosses-antimeridian",
        ),
        ({"type": "Feature", "geometry": None}, "/properties", "member-missing"),
        (
            {"type": "FeatureCollection", "features": [{"type": "Point"}]},
            "/features/0/type",
            "type-not-allowed",
        ),
        ({"type": "Feature", "properties": {}, "geometry": None, "id": None}, "/id", "id-type"),
        ({"type": "Feature", "properties": {}, "geometry": None, "id": True}, "/id", "id-type"),
        ({"type": "Feature", "properties": {}, "geometry": None, "id": NAN}, "/id", "id-type"),
        (
            {"type": "Feature", "properties": {}, "geometry": None, "features": []},
            "/features",
            "member-misplaced",
        ),
        (
            {"type": "Point", "coordinates": [1, 2], "properties": {}},
            "/properties",
            "member-misplaced",
        ),
        (
            {"type": "FeatureCollection", "features": [], "coordinates": []},
            "/coordinates",
            "member-misplaced",
        ),
    ],
)
def test_documents_of_the_wrong_shape(obj, pointer, reason):
    assert refusal(obj) == (pointer, reason)


@pytest.mark.parametrize(
    "bbox",
    [
        "1,2,3,4",
        [1, 2, 3],
        [1, 2, 3, "4"],
        [1, 2, 3, True],
        [1, 2, 3, NAN],
        [0, 3, 1, 2],
        [0, 0, 181, 1],
        [0, -HUGE, 1, 1],
        [0, 0, 0, 1, 91, 0],
    ],
)
def test_a_bbox_that_is_none(bbox):
    assert refusal({"type": "Point", "coordinates": [1, 2], "bbox": bbox}) == (
        "/bbox",
        "bbox-malformed",
    )


@pytest.mark.parametrize(
    "bbox", [[0, 0, 3, 3], [0, 0, -5, 3, 3, 5], [170, 0, -170, 3], [1, 2, 1, 2]]
)
def test_a_bbox_that_may_be_true(bbox):
    assert parse_geojson({"type": "Point", "coordinates": [1, 2], "bbox": bbox}).features
    empty = {"type": "FeatureCollection", "features": [], "bbox": bbox}
    assert parse_geojson(empty).features == ()


@pytest.mark.parametrize(
    ("crs", "accepted"),
    [
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}, True),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}, True),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}, False),
        ({"type": "name", "properties": {"name": 4326}}, False),
        ({"type": "name", "properties": None}, False),
        ("EPSG:4326", False),
        (None, False),
    ],
)
def test_a_crs_member_must_mean_degrees(crs, accepted):
    document = {"type": "FeatureCollection", "features": [], "crs": crs}
    if accepted:
        assert parse_geojson(document).features == ()
    else:
        assert refusal(document) == ("/crs", "foreign-crs")


def test_an_invalid_polygon_is_refused_with_its_place():
    with pytest.raises(GeoError) as fault:
        parse_geojson(polygon([[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]))
    assert (fault.value.pointer, fault.value.reason) == ("/coordinates", "invalid-geometry")
    assert fault.value.position == Position(1.0, 1.0)


def test_limits_are_counted_over_the_whole_document():
    collection = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": None, "geometry": polygon(RING)} for _ in range(3)
        ],
    }
    assert (
        len(parse_geojson(collection, limits=Limits(vertices_max=12, features_max=3)).features)
        == 3
    )
    fewer = Limits(vertices_max=11, features_max=3)
    assert refusal(collection, fewer) == (
        "/features/2/geometry/coordinates/0",
        "too-many-vertices",
    )
    few = Limits(vertices_max=12, features_max=2)
    assert refusal(collection, few) == ("/features", "too-many-features")
    points = {
        "type": "GeometryCollection",
        "geometries": [{"type": "Point", "coordinates": [1, 1]}] * 3,
    }
    assert refusal(points, Limits(vertices_max=2, features_max=1))[1] == "too-many-vertices"


def test_a_caller_may_allow_polygons_only():
    limits = Limits(vertices_max=100, features_max=1, geometry_types=POLYGONAL)
    assert parse_geojson(polygon(RING), limits=limits).kind == "Geometry"
    assert refusal({"type": "Point", "coordinates": [1, 1]}, limits) == (
        "/type",
        "type-not-allowed",
    )


def test_rings_wound_the_wrong_way_are_turned_and_told():
    parsed = parse_geojson(polygon(RING[::-1]))
    assert parsed.notes == {Note.RINGS_REWOUND}
    geometry = parsed.features[0].geometry
    assert isinstance(geometry, Polygon)
    assert geometry.exterior.is_ccw


def test_heights_are_dropped_and_told():
    parsed = parse_geojson({"type": "Point", "coordinates": [1, 2, 3]})
    assert parsed.notes == {Note.ORDINATES_DROPPED}
    geometry = parsed.features[0].geometry
    assert geometry is not None
    assert not geometry.has_z
    assert geometry == Point(1, 2)


def test_numbers_are_written_with_seven_decimals():
    assert dump_geometry(Point(121.123456789, -1e-9)) == {
        "type": "Point",
        "coordinates": [121.1234568, 0.0],
    }


def test_a_feature_without_a_place_is_written_as_one():
    dumped = dump_feature_collection([Feature(geometry=None, id=7)])
    assert dumped["features"] == [
        {"type": "Feature", "id": 7, "properties": {}, "geometry": None}
    ]
    assert "id" not in dump_feature_collection([Feature(geometry=None)])["features"][0]


def nested(depth):
    inner = {"type": "Point", "coordinates": [0, 0]}
    for _ in range(depth):
        inner = {"type": "GeometryCollection", "geometries": [inner]}
    return inner


def deep_array(depth):
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def star(points):
    """A star polygon whose edges all cross: repairing it would take minutes."""
    angles = [2 * math.pi * k * (points // 2) / points for k in range(points)]
    ring = [[math.cos(a), math.sin(a)] for a in angles]
    return polygon([*ring, ring[0]])


@pytest.mark.parametrize(
    "hostile",
    [
        nested(500),
        {"type": "Polygon", "coordinates": deep_array(900)},
        star(301),
        star(5_001),
        {"type": "MultiPoint", "coordinates": [[0, 0]] * 100_000},
        {"type": "MultiPolygon", "coordinates": [[]] * 100_000},
        {"type": "FeatureCollection", "features": [None] * 100_000},
    ],
    ids=[
        "nested collections",
        "nested arrays",
        "crossing star",
        "large crossing star",
        "many points",
        "many polygons",
        "many features",
    ],
)
def test_hostile_documents_are_refused_at_once(hostile):
    began = time.process_time()
    with pytest.raises(GeoError):
        parse_geojson(hostile)
    assert time.process_time() - began < 0.5


def test_an_import_reads_a_whole_city():
    obj = shared_json("grids", "taipei_city.geojson.gz")
    parsed = parse_geojson(obj, limits=IMPORT_LIMITS)
    assert (parsed.kind, len(parsed.features)) == ("FeatureCollection", 11_490)
    assert all(each.pointer == f"/features/{at}" for at, each in enumerate(parsed.features))
