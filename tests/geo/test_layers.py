import dataclasses

import pytest

from geo.layers import LAYERS, DataClass, FieldKind, Layer


def test_there_are_four_layers_and_each_has_one_identifier():
    assert set(LAYERS) == {"grids", "incidents", "tasks", "household-counts"}
    for layer in LAYERS.values():
        assert layer.fields[0].name == "id"


def test_nothing_personal_and_no_free_text_is_published():
    for layer in LAYERS.values():
        for field in layer.fields:
            assert field.data_class is DataClass.P0
            assert field.kind in FieldKind
            words = set(field.source.split("_"))
            assert not words & {"text", "summary", "address", "assignee", "reporter", "by"}


def test_times_are_named_after_milliseconds():
    for layer in LAYERS.values():
        for field in layer.fields:
            assert (field.kind is FieldKind.TIME) == field.source.endswith("_ms")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"data_class": DataClass.P1}, "only P0"), ({"name": "code"}, "occurs twice")],
)
def test_a_layer_with_a_wrong_field_cannot_be_made(change, message):
    layer = LAYERS["grids"]
    fields = (dataclasses.replace(layer.fields[0], **change), *layer.fields[1:])
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(layer, fields=fields)


def test_the_time_of_a_layer_is_one_of_its_times():
    with pytest.raises(ValueError, match="not a time"):
        dataclasses.replace(LAYERS["grids"], time_field="code")


def test_layers_cannot_be_changed():
    with pytest.raises(TypeError):
        LAYERS["households"] = LAYERS["grids"]  # type: ignore[index] # what the test is about
    assert isinstance(LAYERS["grids"], Layer)
