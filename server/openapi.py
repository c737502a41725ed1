"""The OpenAPI document: what FastAPI knows, plus problems, bearer tokens and a stable order."""

from collections.abc import Mapping
from typing import Any

import yaml
from fastapi import FastAPI
from typing_extensions import override

from server.problem_schema import PROBLEM_SCHEMA
from server.problems import Unauthenticated, problems

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
        for path, calls in found["paths"].items():
            for call in calls.values():
                _describe_access(call, is_open=path in OPEN_PATHS)
        return found

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _describe_access(call: dict[str, Any], *, is_open: bool) -> None:
    """Say that a call needs a token, or that it does not."""
    if is_open:
        call["security"] = []
        return
    for status, answer in problems(Unauthenticated).items():
        call["responses"].setdefault(str(status), answer)


def as_yaml(document: Mapping[str, Any]) -> str:
    """Return a document as YAML, in the order of the code: same document, same text."""
    text: str = yaml.dump(
        dict(document),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=96,
        default_flow_style=False,
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and never with references to shared parts."""

    @override
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
