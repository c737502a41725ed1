"""What sets a file apart from the grids in force."""

import shapely
from hypothesis import given
from hypothesis import strategies as st

from server.boundaries.redrawing import Standing, difference
from server.imports.gridcells import Cell

COMMUNITIES = {"N1": "id-1", "N2": "id-2"}


def box(at, size=1.0):
    return shapely.MultiPolygon([shapely.box(at, 0, at + size, 1)])


def cell(row, code, shape, name=None, community="N1"):
    return Cell(
        row=row, code=code, name=name or code, community=community, boundary=shape, area_m2=1
    )


def grid(code, shape, name="Old", community="id-1"):
    return Standing(id=f"id-{code}", code=code, name=name, community=community, boundary=shape)


@given(
    st.sets(st.integers(0, 9)),
    st.dictionaries(st.integers(0, 9), st.booleans()),
    st.booleans(),
)
def test_every_grid_of_either_side_is_told_once(standing, drawn, retire):
    """`drawn` says of each cell of the file whether its border is another one."""
    held = [grid(f"G{at}", box(at)) for at in sorted(standing)]
    cells = [
        cell(row, f"G{at}", box(at, 0.9 if moved else 1.0))
        for row, (at, moved) in enumerate(drawn.items(), start=1)
    ]
    found = difference(cells, held, COMMUNITIES, retire=retire)
    assert {each.code for each in found.created} == {f"G{at}" for at in drawn.keys() - standing}
    assert {each.code for _, each in found.redrawn} == {
        f"G{at}" for at, moved in drawn.items() if moved and at in standing
    }
    gone = {f"id-G{at}" for at in standing - drawn.keys()}
    assert set(found.retired) == (gone if retire else set())
    kept = sum(not moved and at in standing for at, moved in drawn.items())
    assert found.unchanged == kept
    assert found.edits == len(found.created) + len(found.redrawn) + len(found.retired)


def test_another_community_and_another_name_are_told():
    held = [grid("G1", box(1)), grid("G2", box(2), community="id-2")]
    cells = [cell(1, "G1", box(1), name="New"), cell(2, "G2", box(2), community="N1")]
    found = difference(cells, held, COMMUNITIES, retire=False)
    assert (found.moved, found.names_kept, found.unchanged) == ((2,), 1, 2)


def test_a_name_that_only_stands_in_for_none_is_no_other_name():
    found = difference([cell(1, "G1", box(1))], [grid("G1", box(1))], COMMUNITIES, retire=True)
    assert (found.names_kept, found.edits) == (0, 0)
