"""Calls to the REST interface as the people of the small world."""

from typing import Any

import httpx

from tests.world import World


class Desk:
    """One HTTP client that can speak with anybody's token."""

    def __init__(self, client: httpx.AsyncClient, world: World) -> None:
        self.client = client
        self.world = world

    def _headers(self, login: str, rev: int | None) -> dict[str, str]:
        headers = {"authorization": f"Bearer {self.world.tokens[login]}"}
        if rev is not None:
            headers["if-match"] = f'"{rev}"'
        return headers

    async def get(self, path: str, login: str, **query: Any) -> httpx.Response:
        """Send a GET; a path may bring its own query instead."""
        return await self.client.get(
            path, params=query or None, headers=self._headers(login, None)
        )

    async def items(self, path: str, login: str, **query: Any) -> list[Any]:
        """All items of a list, page after page."""
        found: list[Any] = []
        cursor = None
        while True:
            asked = query if cursor is None else {**query, "cursor": cursor}
            answer = await self.get(path, login, **asked)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            if "limit" in query:
                assert len(body["items"]) <= query["limit"]
            found += body["items"]
            cursor = body["next"]
            if cursor is None:
                return found

    async def post(
        self, path: str, login: str, body: Any = None, *, rev: int | None = None
    ) -> httpx.Response:
        """Send a POST with a JSON body, or with none."""
        return await self.client.post(path, json=body, headers=self._headers(login, rev))

    async def patch(
        self, path: str, login: str, body: Any, *, rev: int | None = None
    ) -> httpx.Response:
        """Send a PATCH."""
        return await self.client.patch(path, json=body, headers=self._headers(login, rev))

    async def done(
        self, path: str, login: str, body: Any = None, *, rev: int | None = None
    ) -> Any:
        """Send a POST that must succeed and return its parsed body."""
        answer = await self.post(path, login, body, rev=rev)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()


def told(answer: httpx.Response) -> tuple[int, str]:
    """Status and slug of a problem."""
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def pointers(answer: httpx.Response) -> list[str]:
    """Where a refused body is wrong."""
    assert answer.status_code == 422, answer.text
    return [each["pointer"] for each in answer.json()["errors"]]
