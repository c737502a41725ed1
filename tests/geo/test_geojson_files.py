"""The 73 public GeoJSON files: what each folder says must happen, and what was decided."""

import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError
from geo.geojson import Note, parse_geojson
from tests.shared_data import shared_json, shared_path

POSITION = "/features/0/geometry/coordinates/0"
GEOMETRY = "/features/0/geometry/coordinates"

# The folder of invalid files holds two whose only fault is the order of their rings. RFC 7946
# (3.1.6) asks parsers not to refuse those; they are turned, and the notes say so.
REWOUND = {"invalid_exterior_not_ccw", "invalid_interior_not_cw"}

REFUSED = {
    "invalid_incorrect_geometry_data_type": (f"{GEOMETRY}/0", "coordinates-shape"),
    "invalid_less_three_unique_nodes": (POSITION, "too-few-positions"),
    "invalid_unclosed": (POSITION, "ring-not-closed"),
    "invalid_feature_geometry_is_string": ("/geometry", "not-an-object"),
    "invalid_feature_id_type": ("/id", "id-type"),
    "invalid_feature_no_properties": ("/properties", "member-missing"),
    "invalid_feature_properties_is_array": ("/properties", "properties-not-object"),
    "invalid_feature_properties_is_int": ("/properties", "properties-not-object"),
    "invalid_feature_wrong_geometry_key": ("/geometry", "member-missing"),
    "invalid_featurecollection_feature_nullfeature": ("/features/0", "not-an-object"),
    "invalid_featurecollection_features_is_object": ("/features", "features-not-array"),
    "invalid_featurecollection_no_features_member": ("/features", "features-not-array"),
    "invalid_featurecollection_nulltype": ("/type", "type-missing"),
    "invalid_featurecollection_type_lowercase": ("/type", "type-not-allowed"),
    "invalid_featurecollection_unknown_type": ("/type", "type-not-allowed"),
    "invalid_geometry_bbox_not4or6": ("/bbox", "bbox-malformed"),
    "invalid_geometry_bbox_not_list": ("/bbox", "bbox-malformed"),
    "invalid_geometry_bbox_not_numbers": ("/bbox", "bbox-malformed"),
    "invalid_geometry_coordinates_1d": ("/coordinates/0", "coordinates-shape"),
    "invalid_geometry_coordinates_empty_position": ("/coordinates/0/2", "coordinates-shape"),
    "invalid_geometry_coordinates_missing": ("/coordinates", "member-missing"),
    "invalid_geometry_coordinates_string": ("/coordinates", "not-a-number"),
    "invalid_geometry_depth_deep_point": ("/coordinates", "coordinates-shape"),
    "invalid_geometry_depth_deep_polygon": ("/coordinates/0/0", "coordinates-shape"),
    "invalid_geometry_depth_shallow_linestring": ("/coordinates/0", "coordinates-shape"),
    "invalid_geometry_depth_shallow_multipolygon": ("/coordinates/0/0/0", "coordinates-shape"),
    "invalid_geometry_depth_shallow_polygon": ("/coordinates/0/0", "coordinates-shape"),
    "invalid_geometry_geometrycollection_null_geometry": ("/geometries/0", "not-an-object"),
    "invalid_geometry_mislabeled_point": ("/coordinates/0", "coordinates-shape"),
    "invalid_geometry_missing_type": ("/type", "type-missing"),
    "invalid_geometry_wrong_geometry_type": ("/type", "type-not-allowed"),
    # Problematic files: refused are those that name no place or contradict themselves.
    "problematic_crosses_antimeridian": (f"{POSITION}/1", "crosses-antimeridian"),
    "problematic_inner_and_exterior_ring_intersect": (GEOMETRY, "invalid-geometry"),
    "problematic_outside_lat_lon_boundaries": (f"{POSITION}/0", "out-of-range"),
    "problematic_self_intersection_large": (GEOMETRY, "invalid-geometry"),
    "problematic_self_intersection_small": (GEOMETRY, "invalid-geometry"),
    "problematic_wrong_bbox_coordinate_order": (
        "/features/0/bbox",
        "bbox-contradicts-geometry",
    ),
    "problematic_zero_length_linestring": (GEOMETRY, "invalid-geometry"),
    "problematic_crs_defined": ("/crs", "foreign-crs"),
    "problematic_nested_geometrycollection": ("/geometries/1", "nested-collection"),
}
DROPPED = {
    "problematic_3d_coordinates",
    "problematic_4d_coordinates",
    "valid_geometry_3d_coordinates",
}


def test_every_file_is_read_or_refused_as_decided():
    paths = sorted(shared_path("geometry", "geojson").glob("*/*.geojson"))
    assert len(paths) == 73
    assert set(REFUSED) <= {path.stem for path in paths}
    for path in paths:
        obj = shared_json("geometry", "geojson", path.parent.name, path.name)
        if path.stem in REFUSED:
            with pytest.raises(GeoError) as fault:
                parse_geojson(obj)
            assert (fault.value.pointer, fault.value.reason) == REFUSED[path.stem], path.stem
            continue
        parsed = parse_geojson(obj)
        assert path.parent.name in {
            "valid",
            "problematic_geometries",
            "problematic_structure",
        } or (path.stem in REWOUND)
        assert (Note.ORDINATES_DROPPED in parsed.notes) == (path.stem in DROPPED)
        if path.stem in REWOUND:
            assert Note.RINGS_REWOUND in parsed.notes


def test_every_valid_file_keeps_its_places():
    """Positions after reading are the ones an independent reader finds, z aside."""
    for path in sorted(shared_path("geometry", "geojson", "valid").iterdir()):
        obj = shared_json("geometry", "geojson", "valid", path.name)
        members = obj.get("features") or [obj.get("geometry", obj)]
        plain = [each.get("geometry", each) for each in members if each]
        theirs = [] if obj.get("features") == [] else [shapely.geometry.shape(g) for g in plain]
        read = [each.geometry for each in parse_geojson(obj).features]
        ours = [each for each in read if each is not None]
        assert _places(ours) == _places(theirs), path.stem


def _places(geometries: list[BaseGeometry]) -> list[list[float]]:
    places: list[list[float]] = sorted(shapely.get_coordinates(geometries).tolist())
    return places
