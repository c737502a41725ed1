"""Ids in paths, filters and bodies: always a UUID in lower-case canonical form."""

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, Field

from server.problems import NotFound
from sync.fields import is_id


def _checked(text: str) -> str:
    if not is_id(text):
        raise ValueError("must be an id (a UUID in lower case)")
    return text


IdText = Annotated[
    str, AfterValidator(_checked), Field(max_length=36, json_schema_extra={"format": "uuid"})
]


def _addressed(text: str) -> str:
    # A text that is no id names nothing, which is the same as something that does not exist.
    if not is_id(text):
        raise NotFound
    return text


PathId = Annotated[
    str, AfterValidator(_addressed), Path(description="Id, a UUID in lower case.")
]
