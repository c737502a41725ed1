"""What is wrong with a mutation by itself is said once, finally, and names the field."""

from typing import Any

import pytest

from sync.check import Fault, check
from sync.fields import Choice, Flag, Integer, Media, Ref, Text, is_id
from sync.kinds import KINDS, SET_ELEMENTS_MAX
from sync.lifecycle import Listed
from sync.mutation import Datum, Mutation, Position
from sync.outcome import Code
from tests.sync.backend import HOUSEHOLD, Device, at, town, uid

TASK, PHOTO = uid("task"), "sha256:" + "a" * 64


def mutation(kind: str = "household", **rest: Any) -> Mutation:
    rest.setdefault("record", HOUSEHOLD)
    rest.setdefault("base", 0)
    return Mutation(n=1, kind=kind, body=b"", **rest)


def place(**changes: Any) -> Position:
    right = {"lon_e7": 0, "lat_e7": 0, "datum": Datum.WGS84, "accuracy_cm": 1}
    return Position(**{**right, **changes})


FAULTS = [
    (mutation("ghost"), Code.UNKNOWN_KIND, "kind"),
    (mutation(record="1"), Code.MALFORMED, "record"),
    (mutation(base=-1), Code.MALFORMED, "base"),
    (mutation(base=True), Code.MALFORMED, "base"),
    (mutation(position=place(lon_e7=10**12)), Code.BAD_VALUE, "position"),
    (mutation(position=place(lat_e7=10**12)), Code.BAD_VALUE, "position"),
    (mutation(position=place(accuracy_cm=-1)), Code.BAD_VALUE, "position"),
    (mutation(position=place(datum="mars")), Code.BAD_VALUE, "position"),
    (mutation("grid"), Code.READ_ONLY_KIND, "kind"),
    (mutation("incident", set={"class": "x"}), Code.READ_ONLY_KIND, "kind"),
    (mutation("claim"), Code.READ_ONLY_KIND, "kind"),
    (mutation(set={"height": 1}), Code.UNKNOWN_FIELD, "height"),
    (mutation("visit", set={"visitor": uid("me")}), Code.UNKNOWN_FIELD, "visitor"),
    (mutation(set={"door": 5}), Code.BAD_VALUE, "door"),
    (mutation(set={"dwelling": None}), Code.BAD_VALUE, "dwelling"),
    (mutation(add={"door": ("x",)}), Code.UNKNOWN_FIELD, "door"),
    (mutation(add={"languages": "yue"}), Code.BAD_VALUE, "languages"),
    (mutation(remove={"languages": ("",)}), Code.BAD_VALUE, "languages"),
    (
        mutation(add={"languages": ("a",) * (SET_ELEMENTS_MAX + 1)}),
        Code.BAD_VALUE,
        "languages",
    ),
    (
        mutation(add={"languages": ("a",)}, remove={"languages": ("a",)}),
        Code.BAD_VALUE,
        "languages",
    ),
    (mutation("task", act="fly"), Code.UNKNOWN_ACT, "act"),
    (mutation(act="finish"), Code.UNKNOWN_ACT, "act"),
    (mutation("task", act="finish", set={"title": "x"}), Code.MALFORMED, "act"),
    (mutation("task", act="confirm"), Code.NOT_ALLOWED, "act"),
    (mutation("incident", act="close"), Code.NOT_ALLOWED, "act"),
    (mutation(act="resolve", args={"field": "door", "value": "1"}), Code.NOT_ALLOWED, "act"),
    (mutation("task", act="finish", args={"mood": 1}), Code.UNKNOWN_FIELD, "mood"),
    (mutation("task", act="finish", args={"result": 1}), Code.BAD_VALUE, "result"),
    (mutation("task", act="finish", args={"media": [1]}), Code.BAD_VALUE, "media"),
]
CONSOLE_FAULTS = [
    (mutation("claim"), Code.READ_ONLY_KIND, "kind"),
    (mutation("incident", act="dispatch"), Code.MISSING_FIELD, "task"),
    (mutation("incident", act="dispatch", args={"task": None}), Code.MISSING_FIELD, "task"),
    (mutation("incident", act="verify", args={"result": "so so"}), Code.BAD_VALUE, "result"),
    (mutation(act="resolve", args={"field": "door"}), Code.MISSING_FIELD, "value"),
]


@pytest.mark.parametrize(("wrong", "code", "field"), FAULTS)
def test_a_phone_is_told_the_code_and_the_field(wrong, code, field):
    assert check(wrong, console=False) == Fault(code=code, field=field)


@pytest.mark.parametrize(("wrong", "code", "field"), CONSOLE_FAULTS)
def test_a_console_is_told_the_code_and_the_field(wrong, code, field):
    assert check(wrong, console=True) == Fault(code=code, field=field)


@pytest.mark.parametrize(
    "right",
    [
        mutation(set={"door": None, "size_band": "5+"}, add={"languages": ("yue",)}),
        mutation("report", set={"class": "leak"}, add={"media": (PHOTO,)}, position=at()),
        mutation("task", act="finish", args={"result": None, "media": [PHOTO]}),
        mutation("task", act="accept"),
    ],
)
def test_a_phone_may_say(right):
    assert check(right, console=False) is None


@pytest.mark.parametrize(
    "right",
    [
        mutation("grid", set={"code": "G"}),
        mutation(act="resolve", args={"field": "door", "value": None}),
        mutation("incident", act="dispatch", args={"task": TASK, "assignee": uid("anna")}),
    ],
)
def test_a_console_may_say(right):
    assert check(right, console=True) is None


@pytest.mark.parametrize(
    ("type_", "right", "wrong"),
    [
        (Text(3), ["a", "漢字", "a\nb"], ["", "abcd", 1, "a\x00", None]),
        (Text(5, "[0-9]+"), ["12"], ["1x"]),
        (Integer(1, 3), [1, 3], [0, 4, True, "1", 1.0]),
        (Flag(), [True, False], [0, "true"]),
        (Choice(("a", "b")), ["a"], ["c", 1, []]),
        (Ref("grid"), [HOUSEHOLD], [HOUSEHOLD.upper(), "x", 3]),
        (Media(), [PHOTO], ["sha256:zz", 3]),
        (Listed(Flag()), [[], [True]], [[1], True, [True] * (SET_ELEMENTS_MAX + 1)]),
    ],
)
def test_types_take_what_they_say_and_never_repeat_a_value(type_, right, wrong):
    for value in right:
        assert type_.fault(value) is None
    for value in wrong:
        assert type_.fault(value).startswith("must")


def test_ids_have_one_form():
    assert is_id(HOUSEHOLD)
    assert not is_id(HOUSEHOLD.upper())
    assert not is_id(None)


def test_every_kind_can_be_made_by_somebody():
    for kind in KINDS.values():
        assert kind.writers, kind.name


def test_a_task_is_made_by_a_dispatch_alone():
    for device in (Device("anna"), Device("office", console=True)):
        answer = town().do(device, TASK, "task")
        assert (answer.code, answer.field) == (Code.NOT_ALLOWED, "kind")


def test_what_is_missing_at_creation_is_named():
    backend, anna = town(), Device("anna")
    assert backend.do(anna, uid("v"), "visit", set={"outcome": "done"}).field == "household"
    wrong = backend.do(anna, HOUSEHOLD, "visit", set={"outcome": "done"})
    assert (wrong.code, wrong.field) == (Code.KIND_MISMATCH, "kind")


def test_a_fact_that_exists_is_not_written_again():
    backend, anna = town(), Device("anna")
    made = {"class": "leak", "text": "first"}
    backend.do(anna, uid("report"), "report", set=made)
    again = backend.do(anna, uid("report"), "report", set={**made, "text": "second"})
    assert again.code is Code.ALREADY_EXISTS
    assert backend.state(uid("report"))["text"] == "first"
