"""What belongs to the records that a batch may move, merge or erase."""

from collections.abc import Callable, Iterable, Mapping

from sync.dependants import Family
from sync.lifecycle import ERASE, LIFT, MERGE, MOVE, RESOLVE, RESTRICT
from sync.mutation import Mutation
from sync.record import Record
from sync.state import merged_into


def followers(
    mutations: Iterable[Mutation], everything: Callable[[], Mapping[str, Record]]
) -> dict[str, Record]:
    """Those records and all below them, and below whatever stands for a merged one."""
    leaders = [
        each.record
        for each in mutations
        if "grid" in each.set
        or each.act in {"assign", ERASE, LIFT, MERGE, MOVE, RESOLVE, RESTRICT}
    ]
    if not leaders:
        return {}
    records = everything()
    family = Family(records)
    leaders += [into for each in leaders if (into := merged_into_of(records, each))]
    for each in leaders:
        leaders += family.below(each)
    return {each: records[each] for each in leaders if each in records}


def merged_into_of(records: Mapping[str, Record], record_id: str) -> str | None:
    """The record that stands for one, None if it was not merged or is not there."""
    record = records.get(record_id)
    return None if record is None else merged_into(record)
