"""A dispatcher's console: the REST interface with a bearer token, and nothing hidden."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx


class Refused(RuntimeError):  # noqa: N818 - named as the condition it reports
    """The server answered with a problem (RFC 9457); `problem` is its document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('title', '')}".strip())
        self.status = status
        self.problem = problem

    @property
    def slug(self) -> str:
        """The last part of the problem type."""
        kind = str(self.problem.get("type", ""))
        return kind.rsplit("/", 1)[-1].rsplit("#", 1)[-1].rsplit(":", 1)[-1]


class Console:
    """Calls of one account. `http` is any `httpx.Client` whose base URL is the server's."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        rev: int | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """Send one call and return the whole response; `rev` becomes `If-Match`.

        Raises:
            Refused: if the server answers with a status of 400 or above.
        """
        headers = dict(self._headers)
        if rev is not None:
            headers["If-Match"] = f'"{rev}"'
        response = self._http.request(
            method, path, json=body, params=dict(query or {}), headers=headers
        )
        if response.is_error:
            raise Refused(response.status_code, _problem(response))
        return response

    def get(self, path: str, **query: str | int) -> Any:
        """Return the parsed body of a GET."""
        return self.request("GET", path, query=query).json()

    def items(self, path: str, **query: str | int) -> Iterator[Any]:
        """Yield every item of a list, page after page."""
        page = self.get(path, **query)
        yield from page["items"]
        while page["next"] is not None:
            page = self.get(path, **{**query, "cursor": page["next"]})
            yield from page["items"]

    def post(self, path: str, body: Any = None, *, rev: int | None = None) -> Any:
        """Send a POST and return the parsed body, None if there is none.

        `rev` is the revision the caller looked at, for calls that must not miss a change.
        """
        response = self.request("POST", path, body=body, rev=rev)
        return response.json() if response.content else None

    def patch(self, path: str, body: Any, *, rev: int) -> Any:
        """Change a record that was read at `rev`; return the parsed body."""
        return self.request("PATCH", path, body=body, rev=rev).json()


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        value = response.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
