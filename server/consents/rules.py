"""What somebody can agree to, and what stands. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from sync.kinds import KINDS

Act = Literal["shown", "given", "withdrawn"]
About = Literal["household", "resident"]
For = Literal["registry", "visits", "service"]
How = Literal["in_person", "on_paper", "by_phone", "online"]
OPTIONAL: Final[Mapping[str, frozenset[str]]] = {
    about: frozenset(
        name
        for name, field in KINDS[about].fields.items()
        if not (
            field.required or field.derived or field.immutable or name in {"grid", "status"}
        )
    )
    for about in ("household", "resident")
}
"""The fields that nobody has to state: a consent may be about one of them alone."""


def fault_of(about: str, act: str, field: str | None, notice: str | None) -> str | None:
    """Return the member that is wrong of what is to be noted, None if nothing is."""
    if field is not None and (act == "shown" or field not in OPTIONAL[about]):
        return "field"
    if (notice is None) != (act == "withdrawn"):
        return "notice"
    return None


def stands(acts: Iterable[str]) -> bool:
    """Say whether a consent stands after these acts about it, in their order."""
    said = [each for each in acts if each != "shown"]
    return said[-1:] == ["given"]
