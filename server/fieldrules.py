"""Wire types of record fields, read from `sync.kinds`, the only place limits are declared.

`Annotated[str, FieldRule("household", "door")]` checks a value exactly as the write path will,
and shows the same limits in the OpenAPI document.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from sync import masking
from sync.fields import Choice, FieldType, Integer, Media, Ref, Text
from sync.kinds import KINDS


class Body(BaseModel):
    """A request body: no unknown members, and no number is made from a text."""

    model_config = ConfigDict(extra="forbid", strict=True)


def describe_type(rule: FieldType) -> dict[str, Any]:
    """Return the JSON Schema keywords that say what a field type accepts."""
    match rule:
        case Text(max_chars=limit, pattern=pattern):
            shown: dict[str, Any] = {"minLength": 1, "maxLength": limit}
            return shown if pattern is None else shown | {"pattern": f"^{pattern}$"}
        case Integer(low=low, high=high):
            return {"minimum": low, "maximum": high}
        case Choice(words=words):
            return {"enum": list(words)}
        case Ref():
            return {"format": "uuid"}
        case Media():
            return {"pattern": "^sha256:[0-9a-f]{64}$"}
        case _:
            return {}


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Annotation: the value must be what `kind` allows in `field` or as element of that set."""

    kind: str
    field: str

    def type(self) -> FieldType:
        """Return the declared type."""
        kind = KINDS[self.kind]
        return (
            kind.fields[self.field].type if self.field in kind.fields else kind.sets[self.field]
        )

    def fault(self, value: Any) -> str | None:
        """Say what is wrong with a value that a caller gives, if anything."""
        return self.type().fault(value) or masking.fault_of(self.kind, self.field, value)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Run the declared check after the plain type was checked."""

        def check(value: Any) -> Any:
            fault = None if value is None else self.fault(value)
            if fault is not None:
                raise ValueError(fault)
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Show the declared limits."""
        shown: dict[str, Any] = dict(handler(schema))
        limits = describe_type(self.type())
        branches = shown.get("anyOf")
        if branches is None:
            return shown | limits
        shown["anyOf"] = [
            each if each.get("type") == "null" else each | limits for each in branches
        ]
        return shown
