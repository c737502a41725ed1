"""Which photos a batch names, so that its device is asked for them."""

from collections.abc import Iterator, Sequence
from typing import Any

from server.replication.gather import Batch
from sync.media import declared_media
from sync.mutation import Mutation
from sync.push import Settled


def declarations(batch: Batch, settled: Sequence[Settled]) -> Iterator[dict[str, Any]]:
    """Yield a row for every photo that the settled mutations of a batch name."""
    asked = {each.n: each for each in batch.mutations if isinstance(each, Mutation)}
    for each in settled:
        mutation = asked.get(each.n)
        for media in () if mutation is None else declared_media(mutation, each.outcome):
            yield {
                "hash": media,
                "record_id": each.record,
                "device_id": batch.device.id,
                "account_id": batch.device.account_id,
                "declared_ms": batch.received_ms,
                "waiting": True,
            }
