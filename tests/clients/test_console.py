import httpx
import pytest

from clients.console import Console, Refused


def answering(*answers: httpx.Response) -> tuple[Console, list[httpx.Request]]:
    seen: list[httpx.Request] = []
    waiting = list(answers)

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return waiting.pop(0)

    http = httpx.Client(transport=httpx.MockTransport(handler), base_url="http://t")
    return Console(http, "secret"), seen


def test_a_list_is_followed_to_its_end():
    console, seen = answering(
        httpx.Response(200, json={"items": [1, 2], "next": "c1"}),
        httpx.Response(200, json={"items": [3], "next": None}),
    )
    assert list(console.items("/v1/tasks", state="done")) == [1, 2, 3]
    assert seen[1].url.params.multi_items() == [("state", "done"), ("cursor", "c1")]
    assert seen[0].headers["authorization"] == "Bearer secret"


def test_a_change_names_the_revision_it_looked_at():
    console, seen = answering(httpx.Response(200, json={"rev": 8}), httpx.Response(204))
    assert console.patch("/v1/households/1", {"door": "7"}, rev=7) == {"rev": 8}
    assert seen[0].headers["if-match"] == '"7"'
    assert console.post("/v1/devices/1/revoke") is None
    assert "if-match" not in seen[1].headers


@pytest.mark.parametrize(
    ("answer", "slug"),
    [
        (
            httpx.Response(409, json={"type": "/problems/needs-person", "title": "Ask"}),
            "needs-person",
        ),
        (httpx.Response(502, content=b"<html>"), ""),
        (httpx.Response(502, json=[]), ""),
    ],
)
def test_a_refusal_is_raised_with_its_problem(answer, slug):
    console, _ = answering(answer)
    with pytest.raises(Refused) as caught:
        console.get("/v1/tasks")
    assert (caught.value.status, caught.value.slug) == (answer.status_code, slug)
