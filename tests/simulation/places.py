"""The ground of the simulated city: grids side by side, each one column wide."""

from collections.abc import Iterable, Sequence

from sync.known import Located
from sync.mutation import Malformed, Mutation, Position

GRID_WIDTH_E7 = 1_000_000


def located_in(
    batch: Iterable[Mutation | Malformed], grids: Sequence[str]
) -> dict[int, Located]:
    """Return where the positions of a batch lie, by n."""
    return {
        each.n: _place(each.position, grids)
        for each in batch
        if isinstance(each, Mutation) and each.position is not None
    }


def _place(position: Position, grids: Sequence[str]) -> Located:
    column = position.lon_e7 // GRID_WIDTH_E7
    return Located(
        grid=grids[column] if 0 <= column < len(grids) else None,
        lon_e7=position.lon_e7,
        lat_e7=position.lat_e7,
        certain=True,
    )
