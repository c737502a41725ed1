"""The OpenAPI document: what FastAPI knows, plus problems, bearer tokens and a stable order."""

from collections.abc import Mapping
from typing import Any

import yaml
from fastapi import FastAPI

from server.problems import PROBLEM_SCHEMA

OPEN_PATHS = frozenset({"/livez", "/readyz"})
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token made with `jingwei token create`, or a device's own token.",
}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` return the complete document."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        found = plain()
        parts = found.setdefault("components", {})
        parts.setdefault("schemas", {})["Problem"] = dict(PROBLEM_SCHEMA)
        parts["securitySchemes"] = {"bearer": _BEARER}
        found["security"] = [{"bearer": []}]
        for path in OPEN_PATHS & found["paths"].keys():
            for call in found["paths"][path].values():
                call["security"] = []
        return found

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def as_yaml(document: Mapping[str, Any]) -> str:
    """Return a document as YAML, in the order of the code: same document, same text."""
    text: str = yaml.safe_dump(
        dict(document), sort_keys=False, allow_unicode=True, width=96, default_flow_style=False
    )
    return text
