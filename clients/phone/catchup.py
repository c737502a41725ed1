"""Buckets that pages are not the best way for: large new ones, and ones whose bytes differ."""

from clients.phone.download import Download
from clients.phone.repair import Anew, Repair
from clients.phone.report import Tally
from clients.phone.store import Store
from clients.phone.transport import Line
from sync.exchange import BucketPage

DIVERGED_MS = 86_400_000


class CatchUp:
    """Does what the last round left to be fetched beside the pages."""

    def __init__(self, store: Store, line: Line, tally: Tally) -> None:
        self._store = store
        self._tally = tally
        self._download = Download(store, line)
        self._repair = Repair(store, line)

    def run(self) -> None:
        """Fetch the offered snapshots and compare the buckets that differ.

        Each bucket is stored in one transaction with its position; the feed goes on from there.

        Raises:
            Broken: if contact failed; what was done until then is kept.
        """
        tally = self._tally
        while tally.offers:
            bucket = min(tally.offers)
            self._fetch(bucket)
            del tally.offers[bucket]
        while tally.to_compare:
            bucket = min(tally.to_compare)
            self._compare(bucket)
            tally.to_compare.discard(bucket)

    def _fetch(self, bucket: str) -> None:
        try:
            snapshot = self._download.run(bucket, self._tally.offers[bucket])
        except Anew:
            self._tally.pages_only = True
            return
        with self._store.transaction():
            self._tally.gone += self._store.apply_snapshot(snapshot)
        self._tally.put += snapshot.page.count

    def _compare(self, bucket: str) -> None:
        tally = self._tally
        tally.compared.add(bucket)
        tally.unchecked.add(bucket)
        try:
            self._repair.run(bucket)
        except Anew:
            tally.fetched_again.add(bucket)
            self._store.rewind(bucket)


def asks_to_compare(page: BucketPage) -> bool:
    """Say whether a page says no more than that the bucket is to be compared."""
    return page.reset and page.more and page.seq == 0 and not page.put


def repair_step(store: Store, bucket: str, tally: Tally) -> bool:
    """Choose the next step for a bucket whose bytes differ, or say that none is left.

    First it is compared; if that did not help, it is fetched from its start; if that did not
    help either, it is reported, and left alone for a day: the defect is somewhere else.
    """
    given_up_ms = store.setting(_mark(bucket))
    if given_up_ms is not None and tally.now_ms - int(given_up_ms) < DIVERGED_MS:
        tally.diverged.add(bucket)
        return False
    if bucket not in tally.compared:
        tally.to_compare.add(bucket)
        return True
    if bucket not in tally.fetched_again:
        tally.fetched_again.add(bucket)
        tally.unchecked.add(bucket)
        store.rewind(bucket)
        return True
    tally.diverged.add(bucket)
    store.keep_setting(_mark(bucket), tally.now_ms)
    return False


def forgive(store: Store, bucket: str) -> None:
    """Forget that a bucket was left alone: its bytes are right."""
    store.keep_setting(_mark(bucket), None)


def _mark(bucket: str) -> str:
    return f"diverged:{bucket}"
