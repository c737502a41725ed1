"""Two workers on one phone: whose work a mutation is."""

from dataclasses import replace

import pytest

from sync.outcome import Code, Outcome
from sync.push import Acting, Interval
from tests.sync.backend import ALWAYS, DWELLING, END, GRID, HOUR, HOUSEHOLD, Device, town, uid
from tests.sync.histories import TASK, busy_town

CHEN = uid("account", "chen")


def chen_on(device: Device, **said: object) -> Acting:
    author = replace(device.author, account=CHEN, home_bucket=f"user:{CHEN}")
    acting = Acting(author=author, authority={f"grid:{GRID}": ALWAYS})
    return replace(acting, **said)


def with_chen(device: Device, **said: object):
    backend = town()
    backend.actors[CHEN] = chen_on(device, **said)
    return backend


def test_an_accepted_actor_is_the_author():
    ann = Device("ann")
    backend = with_chen(ann)
    visit = {"household": HOUSEHOLD, "outcome": "done"}
    done = backend.do(ann, uid("visit"), "visit", set=visit, actor=CHEN)
    assert done.outcome is Outcome.APPLIED
    assert backend.state(uid("visit"))["visitor"] == CHEN
    own = backend.do(ann, uid("other visit"), "visit", set=visit)
    assert own.outcome is Outcome.APPLIED
    assert backend.state(uid("other visit"))["visitor"] == ann.account


def test_an_actor_without_a_grid_is_at_home_in_the_own_bucket():
    ann = Device("ann")
    backend = with_chen(ann)
    backend.do(ann, uid("report"), "report", set={"class": "leak"}, actor=CHEN)
    record = backend.record(uid("report"))
    assert record is not None
    assert record.bucket == f"user:{CHEN}"


@pytest.mark.parametrize(
    ("authority", "outcome"),
    [
        ({f"grid:{GRID}": ALWAYS}, Outcome.APPLIED),
        ({f"grid:{GRID}": (Interval(lo_ms=0, hi_ms=END - HOUR),)}, Outcome.HELD),
        ({}, Outcome.HELD),
    ],
)
def test_authority_is_the_actors_and_not_the_signed_in_accounts(authority, outcome):
    ann = Device("ann")
    backend = with_chen(ann, authority=authority)
    made = backend.do(ann, uid("home"), "household", set={"dwelling": DWELLING}, actor=CHEN)
    assert made.outcome is outcome


def test_a_claim_is_judged_by_whether_the_actor_is_the_assignee():
    ann, anna = Device("ann"), Device("anna")
    backend = busy_town()
    author = replace(ann.author, account=anna.account)
    backend.actors[anna.account] = Acting(author=author, authority={})
    done = backend.do(ann, TASK, "task", act="finish", actor=anna.account)
    assert done.outcome is Outcome.APPLIED
    assert backend.state(TASK)["status_by"] == anna.account
    own = backend.do(ann, TASK, "task", act="finish")
    assert own.code is Code.NOT_ASSIGNED


def test_nobody_else_may_act_and_not_after_the_end():
    ann = Device("ann")
    backend = with_chen(ann, until_ms=END - HOUR)
    before = ann.mutation(HOUSEHOLD, "household", base=1, set={"door": "1"}, actor=CHEN)
    assert backend.push(ann, before).answers[0].outcome is Outcome.APPLIED
    late = backend.do(
        ann, HOUSEHOLD, "household", at_ms=END - HOUR, set={"door": "2"}, actor=CHEN
    )
    assert (late.outcome, late.code) == (Outcome.HELD, Code.UNKNOWN_ACTOR)
    other = backend.do(ann, HOUSEHOLD, "household", set={"door": "3"}, actor=uid("who"))
    assert (other.outcome, other.field) == (Outcome.HELD, "actor")


def test_the_signed_in_account_may_name_itself():
    ann = Device("ann")
    backend = town()
    done = backend.do(ann, HOUSEHOLD, "household", set={"door": "1"}, actor=ann.account)
    assert done.outcome is Outcome.APPLIED
