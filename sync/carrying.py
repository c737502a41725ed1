"""How what was said of a record stands beside what is said of the one it was merged into.

The merged record keeps its cells and goes on merging, by its own revisions, what is still said
of it. Here only the difference that makes is laid over the survivor's cells: a value that was
added stands beside the survivor's, one that was replaced knowingly goes. So it cannot matter
whether something was said of the merged record before the merge or is heard of after it.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sync.kinds import KINDS, Kind
from sync.merge import ELEMENT, RULES, Rule, remembered, winner
from sync.mutation import EMPTY
from sync.record import Cell, Head, Record

_STAYS: Final = frozenset({"grid", "lon_e7", "lat_e7", "due_at_ms"})
_Name = tuple[str, int]


def carries(kind: Kind) -> frozenset[str]:
    """Return the fields of a kind whose values are carried over when two records are merged.

    Not those by which a record has its place and its term, those written once, nor those that
    the rules write.
    """
    return frozenset(
        name
        for name, each in kind.fields.items()
        if not (each.derived or each.immutable or name in _STAYS)
    )


CARRIED: Final = {kind.name: carries(kind) for kind in KINDS.values()}


def carried_cells(
    survivor: Record, before: Mapping[str, Cell], after: Mapping[str, Cell]
) -> dict[str, Cell]:
    """Return the survivor's fields that change when those of a merged record do.

    `before` and `after` are fields of the merged record; those only in `before` are unchanged.
    """
    fields = KINDS[survivor.kind].fields
    return {
        name: _carried(
            survivor.fields.get(name),
            before.get(name),
            cell,
            rev=survivor.rev + 1,
            rule=RULES[fields[name].policy],
        )
        for name, cell in after.items()
        if name in CARRIED[survivor.kind]
    }


def carried_elements(
    survivor: Record,
    before: Mapping[str, Mapping[str, Cell]],
    after: Mapping[str, Mapping[str, Cell]],
) -> dict[str, dict[str, Cell]]:
    """Like `carried_cells` for the elements of set fields."""
    return {
        name: {
            key: _carried(
                survivor.sets.get(name, EMPTY).get(key),
                before.get(name, EMPTY).get(key),
                cell,
                rev=survivor.rev + 1,
                rule=ELEMENT,
            )
            for key, cell in elements.items()
        }
        for name, elements in after.items()
    }


def _carried(
    cell: Cell | None, before: Cell | None, after: Cell, *, rev: int, rule: Rule
) -> Cell:
    """Return a survivor's cell after a merged record's went from `before` to `after`."""
    was = Cell() if before is None else before
    known = _names((*was.heads, *was.kept))
    fresh = tuple(_carry(each, rev) for each in after.heads if _name(each) not in known)
    aside = tuple(_carry(each, rev) for each in after.kept if _name(each) not in known)
    if cell is None:
        return Cell(heads=fresh, kept=aside)
    gone = known - _names((*after.heads, *after.kept))
    lost = _names(was.heads) & _names(after.kept)
    stay = [each for each in cell.heads if not (each.carried and _name(each) in gone | lost)]
    put = [each for each in cell.heads if each.carried and _name(each) in lost]
    kept = [each for each in cell.kept if not (each.carried and _name(each) in gone)]
    heads = (*stay, *fresh)
    old = winner(cell.heads, rule)
    past = cell.past
    if winner(heads, rule) is not old:
        past = remembered(past, old, rev)
    return Cell(heads=heads, kept=(*kept, *put, *aside), past=past, aside=cell.aside)


def _carry(head: Head, rev: int) -> Head:
    return head._replace(rev=rev, carried=True)


def _name(head: Head) -> _Name:
    return head.device, head.n


def _names(heads: Iterable[Head]) -> set[_Name]:
    return {_name(each) for each in heads}
