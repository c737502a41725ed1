"""Who may write and know what, and which ids are free: asked of the sheet itself."""

import pytest

from sync.ids import derived_id
from sync.known import Interval
from sync.mutation import Quality
from sync.record import Cell, Head, Past, Record
from sync.sheet import CONFIG_BUCKET, Deed, Sheet, unused_id
from tests.sync.backend import ALWAYS, GRID, HOUR, OTHER_GRID, START, Device, uid

ANNA = Device("anna")
SPAN = Interval(lo_ms=START, hi_ms=START + HOUR)


def deed(at_ms: int = START, **said: object) -> Deed:
    return Deed(
        author=ANNA.author,
        mutation=ANNA.mutation(uid("any"), "note"),
        at_ms=at_ms,
        quality=Quality.EXACT,
        **said,
    )


def cell(value: object, *before: object) -> Cell:
    heads = [
        Head(value=each, rev=rev, device="d", n=rev, at_ms=rev)
        for rev, each in enumerate((*before, value), start=1)
    ]
    past = tuple(Past(until_rev=head.rev + 1, head=head) for head in heads[:-1])
    return Cell(heads=(heads[-1],), past=past)


def task(bucket: str = f"grid:{GRID}", **fields: Cell) -> Record:
    return Record(id=uid("task"), kind="task", bucket=bucket, rev=3, fields=fields)


@pytest.mark.parametrize(
    ("at_ms", "covered"),
    [(START - 1, False), (START, True), (START + HOUR - 1, True), (START + HOUR, False)],
)
def test_an_assignment_covers_its_first_moment_and_not_its_end(at_ms, covered):
    asked = deed(at_ms, authority={"grid:g": (SPAN,)})
    assert asked.may_write("grid:g") is covered
    assert asked.may_write("grid:h") is False


@pytest.mark.parametrize(
    ("record", "known"),
    [
        (task(), True),
        (task(f"grid:{OTHER_GRID}"), False),
        (task(ANNA.author.home_bucket), True),
        (task("user:somebody else"), False),
        (task(CONFIG_BUCKET), True),
        (task(f"grid:{OTHER_GRID}", grid=cell(OTHER_GRID, GRID)), True),
        (task(f"grid:{OTHER_GRID}", grid=cell(OTHER_GRID, None)), False),
        (task(f"grid:{OTHER_GRID}", assignee=cell(ANNA.account)), True),
        (task(f"grid:{OTHER_GRID}", assignee=cell("bo", ANNA.account)), True),
        (task(f"grid:{OTHER_GRID}", assignee=cell("bo")), False),
        (task(f"grid:{OTHER_GRID}", title=cell(ANNA.account)), False),
    ],
)
def test_an_author_knows_what_ever_was_theirs_to_hold_or_to_write(record, known):
    assert deed(authority={f"grid:{GRID}": ALWAYS}).knows(record) is known


def test_a_sheet_shows_what_was_written_on_it_before_what_lies_below():
    below, above = task(), task(title=cell("x"))
    sheet = Sheet({below.id: below})
    assert sheet.get(below.id) is below
    sheet.create(above)
    assert sheet.get(below.id) is above
    assert below.id in sheet
    assert uid("other") not in sheet


def test_an_id_that_is_taken_gives_way_to_its_next_variant():
    ids = [derived_id("a", 1), *(derived_id("a", 1, variant) for variant in (1, 2, 3))]
    for count, free in enumerate(ids):
        assert unused_id(set(ids[:count]), "a", 1) == free
