"""Households that were entered twice, and the act that makes them one."""

from sync.lifecycle import MERGE
from sync.outcome import Outcome
from sync.state import open_conflicts
from tests.sync.backend import DWELLING, OTHER_GRID, uid

TWIN, THIRD = uid("twin"), uid("third")
OTHER_DWELLING = uid("other dwelling")
WHY = {"text": "the same family"}


def merge(backend, office, record, into, kind="household"):
    return backend.do(office, record, kind, act=MERGE, args={"into": into, **WHY})


def twin(backend, device, record=TWIN, **values):
    made = backend.do(
        device,
        record,
        "household",
        set={"dwelling": DWELLING, **values},
        add={"languages": ("yue",)},
    )
    assert made.outcome is Outcome.APPLIED


def contested(backend, record):
    return {
        each.field: {head.value for head in each.values}
        for each in open_conflicts(backend.record(record))
    }


def dwell(backend, office):
    backend.do(
        office,
        OTHER_DWELLING,
        "dwelling",
        set={"code": "D2", "address": "Elm 2", "lon_e7": 5, "lat_e7": 5, "grid": OTHER_GRID},
    )
