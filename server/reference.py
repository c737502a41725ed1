"""The API's own documentation pages, made from the OpenAPI document and the problem registry.

Plain HTML without scripts: they work without internet and ask no other host for anything.
"""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from server.problems import NotFound, describe_problems

router = APIRouter(include_in_schema=False)
METHODS = ("get", "post", "put", "patch", "delete")
_CSP = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; color: #1c1c1c; background: #fff; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
h3 code { background: #eef2f7; padding: .15rem .4rem; border-radius: .2rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0;
         border-bottom: 1px solid #e5e5e5; }
p { white-space: pre-line; }
@media (prefers-color-scheme: dark) {
  body { color: #e8e8e8; background: #161616; } h3 code { background: #263040; }
  td, th { border-color: #333; } a { color: #8ab4f8; }
}
"""


@router.get("/docs")
async def show_reference(request: Request) -> Response:
    """Show every call with its parameters, bodies and answers."""
    return _page("jingwei API", _reference(request.app.openapi()))


@router.get("/docs/style.css")
async def show_style() -> Response:
    """Give the pages their looks."""
    return Response(_STYLE, media_type="text/css", headers={"cache-control": "max-age=3600"})


@router.get("/problems")
async def show_problems() -> Response:
    """List every problem the API can answer with."""
    parts = [_problem(each) for each in describe_problems()]
    return _page("Problems", f"<h1>Problems 错误类型</h1>{''.join(parts)}")


@router.get("/problems/{slug}")
async def show_problem(slug: str) -> Response:
    """Explain one problem; its `type` is this address."""
    for each in describe_problems():
        if each["slug"] == slug:
            return _page(each["title"], _problem(each))
    raise NotFound


def _page(title: str, content: str) -> HTMLResponse:
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width">'
        f'<link rel="stylesheet" href="/docs/style.css"><body>{content}</body></html>'
    )
    return HTMLResponse(html, headers={"content-security-policy": _CSP})


def _problem(described: Mapping[str, Any]) -> str:
    return (
        f'<h2 id="{escape(described["slug"])}"><a href="{escape(described["type"])}">'
        f"{escape(described['slug'])}</a> ({described['status']})</h2>"
        f"<p><b>{escape(described['title'])} · {escape(described['title_zh'])}</b></p>"
        f"<p>{escape(described['what_to_do'])}</p>"
    )


def _reference(document: Mapping[str, Any]) -> str:
    head = (
        f"<h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>"
        f"<p>{escape(document['info']['description'])}</p>"
        '<p>Machine-readable: <a href="/openapi.json">openapi.json</a>. '
        'Errors: <a href="/problems">problems</a>.</p>'
    )
    by_tag: dict[str, list[str]] = {}
    for path, calls in document["paths"].items():
        for method in METHODS:
            if method in calls:
                tag = (calls[method].get("tags") or ["other"])[0]
                by_tag.setdefault(tag, []).append(_operation(method, path, calls[method]))
    tags = "".join(
        f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in sorted(by_tag.items())
    )
    schemas = document.get("components", {}).get("schemas", {})
    models = "".join(_schema(name, each) for name, each in sorted(schemas.items()))
    return f"{head}{tags}<h2>Schemas</h2>{models}"


def _operation(method: str, path: str, call: Mapping[str, Any]) -> str:
    rows = [
        (each["name"], each["in"], _type(each.get("schema", {})), each.get("description", ""))
        for each in call.get("parameters", ())
    ]
    for media, body in call.get("requestBody", {}).get("content", {}).items():
        rows.append(("body", media, _type(body.get("schema", {})), ""))
    for status, answer in call.get("responses", {}).items():
        content: Mapping[str, Any] = answer.get("content", {})
        media = next(iter(content), "")
        kind = _type(content[media].get("schema", {})) if media else ""
        rows.append((f"→ {status}", media, kind, answer.get("description", "")))
    name = escape(call["operationId"])
    return (
        f'<h3 id="{name}"><code>{method.upper()} {escape(path)}</code></h3>'
        f"<p>{escape(call.get('description', ''))}</p>{_table(rows)}"
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (member, "required" if member in required else "", _type(each), _about(each))
        for member, each in schema.get("properties", {}).items()
    ]
    return f'<h3 id="{escape(name)}"><code>{escape(name)}</code></h3>{_table(rows)}'


def _about(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description", ""))


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    return str(schema.get("type", ""))


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table>{lines}</table>" if lines else ""
