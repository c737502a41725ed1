"""What is decided about people who are erased, or were: nothing of it brings them back."""

from sync.erasing import erase_with_all_below, keeps
from sync.facts import bucket_under, derived_values, grid_bucket, new_record
from sync.kinds import Kind
from sync.lifecycle import ERASE
from sync.mutation import Mutation
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.sheet import Deed, Sheet, Verdict
from sync.state import KEPT_FACTS


def _recorded(rev: int) -> Verdict:
    return Verdict(outcome=Outcome.RECORDED, code=Code.ERASED, rev=rev)


def after_erasure(record: Record, mutation: Mutation) -> Verdict:
    """What is said of an erased record changes nothing, and its content is not kept."""
    if mutation.act == ERASE:
        return Verdict(outcome=Outcome.UNCHANGED, rev=record.rev)
    return _recorded(record.rev)


def erase_unknown(sheet: Sheet, deed: Deed) -> Verdict:
    """Make a tombstone for a record that is not known here: a backup may be older than it."""
    grid = sheet.of_kind(deed.mutation.args.get("grid"), "grid")
    bucket = deed.author.home_bucket if grid is None else grid_bucket(grid.id)
    mutation = deed.mutation
    made = new_record(deed, mutation.kind, mutation.record, {"erased": True}, bucket=bucket)
    sheet.create(made)
    return Verdict(outcome=Outcome.APPLIED, rev=1)


def create_under_erased(sheet: Sheet, kind: Kind, deed: Deed, *, parent: Record) -> Verdict:
    """Keep the bare fact of a visit to people who were erased; nothing else begins there."""
    if kind.name not in KEPT_FACTS:
        return _recorded(0)
    values = {**deed.mutation.set, **derived_values(kind, deed)}
    kept = {name: value for name, value in values.items() if keeps(kind, name)}
    kept.pop("grid", None)
    sheet.create(
        new_record(
            deed,
            kind.name,
            deed.mutation.record,
            kept | {"erased": True},
            bucket=bucket_under(parent, deed),
        )
    )
    return _recorded(1)


def erase(sheet: Sheet, record: Record, deed: Deed) -> Verdict:
    """Erase a record with all that belongs to it."""
    erase_with_all_below(sheet, record, deed)
    return Verdict(outcome=Outcome.APPLIED, rev=record.rev + 1)
