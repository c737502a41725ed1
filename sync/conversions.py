"""What a step between two versions of the record schema is put together from.

Each function returns a `Step` about one kind; mutations of other kinds pass through. A step
never raises and never drops a value that it cannot convert: that one is judged as it is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sync.mutation import Mutation
from sync.versions import Step


def in_turn(*steps: Step) -> Step:
    """Return the step that takes `steps` one after the other."""

    def step(mutation: Mutation) -> Mutation:
        for each in steps:
            mutation = each(mutation)
        return mutation

    return step


def renamed(kind: str, old: str, new: str) -> Step:
    """A field, set field or argument has another name now."""

    def members(values: Mapping[str, Any]) -> Mapping[str, Any]:
        if old not in values or new in values:
            return values
        return {new if name == old else name: value for name, value in values.items()}

    return _each_member(kind, members)


def dropped(kind: str, name: str) -> Step:
    """A field, set field or argument is gone: what is said of it stays in the body alone."""

    def members(values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {each: value for each, value in values.items() if each != name}

    return _each_member(kind, members)


def split(
    kind: str, name: str, parts: Iterable[str], cut: Callable[[str], Mapping[str, Any]]
) -> Step:
    """A text field has become several: `cut` makes `parts` of a text, null clears them all.

    `cut` takes any text and gives a value for each of `parts`.
    """
    names = tuple(parts)

    def step(mutation: Mutation) -> Mutation:
        value = mutation.set.get(name)
        if not _speaks_of(mutation, kind, name) or not isinstance(value, str | None):
            return mutation
        made = dict.fromkeys(names) if value is None else cut(value)
        rest = {each: kept for each, kept in mutation.set.items() if each != name}
        return replace(mutation, set={**{each: made[each] for each in names}, **rest})

    return step


def defaulted(kind: str, name: str, value: Any) -> Step:
    """A new record needs a field that older apps do not ask for."""

    def step(mutation: Mutation) -> Mutation:
        if mutation.kind != kind or mutation.base != 0 or mutation.act is not None:
            return mutation
        return (
            mutation
            if name in mutation.set
            else replace(mutation, set={**mutation.set, name: value})
        )

    return step


def reworded(kind: str, name: str, words: Mapping[str, str]) -> Step:
    """Words of a choice have changed, in a field, a set field or an argument."""

    def word(value: Any) -> Any:
        return words.get(value, value) if isinstance(value, str) else value

    def members(values: Mapping[str, Any]) -> Mapping[str, Any]:
        if name not in values:
            return values
        value = values[name]
        said = tuple(map(word, value)) if isinstance(value, tuple) else word(value)
        return {**values, name: said}

    return _each_member(kind, members)


def _speaks_of(mutation: Mutation, kind: str, name: str) -> bool:
    return mutation.kind == kind and name in mutation.set


def _each_member(kind: str, members: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Step:
    """The step that changes every member of a mutation that holds names of fields."""

    def step(mutation: Mutation) -> Mutation:
        if mutation.kind != kind:
            return mutation
        return replace(
            mutation,
            set=members(mutation.set),
            add=members(mutation.add),
            remove=members(mutation.remove),
            args=members(mutation.args),
        )

    return step
