"""Every error is an RFC 9457 problem from the closed registry and never repeats the input."""

import json

import httpx
import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from server.pointers import json_pointer
from server.problem_answers import problem_of_validation
from server.problems import (
    BodyError,
    InvalidBody,
    InvalidParameter,
    MalformedBody,
    NotFound,
    PreconditionFailed,
    Problem,
    ServerFault,
    ServiceUnavailable,
    TooManyRequests,
    describe_problems,
    problem_types,
    problems,
)
from server.replication.push import BATCH_MUTATIONS_MAX
from tests.server.people import People


def test_a_failed_request_does_not_promise_that_nothing_of_a_sync_was_stored() -> None:
    told = {each["slug"]: each["what_to_do"] for each in describe_problems()}
    for each in (ServerFault, ServiceUnavailable):
        assert f"more than {BATCH_MUTATIONS_MAX} mutations in parts" in told[each.slug]


def test_slugs_and_titles_are_unique_and_complete() -> None:
    described = describe_problems()
    assert len({each["slug"] for each in described}) == len(described)
    for each in described:
        assert each["what_to_do"].endswith(".")
        assert each["title"]
        assert any("\u4e00" <= char <= "\u9fff" for char in each["title_zh"])
        assert 400 <= each["status"] < 600


def test_the_registry_is_ordered_by_status() -> None:
    statuses = [int(each.status) for each in problem_types()]
    assert statuses == sorted(statuses)


def test_a_problem_carries_its_extensions() -> None:
    body = PreconditionFailed("Read it again.", current_rev=7).body("0193")
    assert body["type"] == "/problems/precondition-failed"
    assert body["status"] == 412
    assert body["current_rev"] == 7
    assert body["detail"] == "Read it again."
    assert body["instance"] == "urn:uuid:0193"


def test_an_invalid_body_lists_at_most_twenty_places() -> None:
    errors = [BodyError(pointer=f"/{number}", reason="is required") for number in range(50)]
    assert len(InvalidBody(errors=errors).body(None)["errors"]) == 20


@pytest.mark.parametrize("kind", [ServiceUnavailable, TooManyRequests])
def test_retry_after_differs_from_caller_to_caller(kind: type[Problem]) -> None:
    waits = {int(kind().headers()["retry-after"]) for _ in range(200)}
    low = kind.retry_after_s
    assert low is not None
    assert len(waits) > 3
    assert low <= min(waits)
    assert max(waits) <= 3 * low


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ([], ""),
        (["a", 0, "b_c"], "/a/0/b_c"),
        (["13812345678"], "/*"),
        (["张三"], "/*"),
        (["a/b"], "/*"),
        (["x" * 41], "/*"),
        ([""], "/*"),
    ],
)
def test_pointers_hide_names_that_are_no_field_names(path: list, pointer: str) -> None:
    assert json_pointer(path) == pointer


PHONE = "13812345678"


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=3)
    age: int
    id: str = Field(pattern="^[a-f]+$")

    @field_validator("age")
    @classmethod
    def not_negative(cls, value: int) -> int:
        if value < 0:
            raise ValueError("must not be negative")
        return value


def validation_problem(place: str, value: object) -> Problem:
    try:
        Person.model_validate(value)
    except ValidationError as error:
        errors = [each | {"loc": (place, *each["loc"])} for each in error.errors()]
        return problem_of_validation(RequestValidationError(errors))
    raise AssertionError


def test_a_body_that_does_not_fit_says_where_and_why_without_the_value() -> None:
    problem = validation_problem(
        "body", {"name": PHONE, "age": -1, "id": PHONE, "nick_name": PHONE, PHONE: 1}
    )
    assert isinstance(problem, InvalidBody)
    assert problem.extensions["errors"] == [
        {"pointer": "/name", "reason": "String should have at most 3 characters"},
        {"pointer": "/age", "reason": "must not be negative"},
        {"pointer": "/id", "reason": "String should match pattern '^[a-f]+$'"},
        {"pointer": "/nick_name", "reason": "is not a known member"},
        {"pointer": "/*", "reason": "is not a known member"},
    ]
    assert PHONE not in json.dumps(problem.body("id"))


def test_a_missing_member_is_named() -> None:
    problem = validation_problem("body", {"name": "x"})
    assert {"pointer": "/age", "reason": "is required"} in problem.extensions["errors"]


def test_reasons_that_could_quote_the_input_are_replaced() -> None:
    problem = validation_problem("body", {"name": "x", "age": PHONE + "x", "id": "a"})
    assert problem.extensions["errors"] == [
        {"pointer": "/age", "reason": "is not valid (int parsing)"}
    ]


def test_a_parameter_is_400_and_named() -> None:
    problem = validation_problem("query", {"name": "x", "id": "a"})
    assert isinstance(problem, InvalidParameter)
    assert problem.extensions == {"parameter": "age"}
    assert int(problem.status) == 400


def test_unreadable_json_is_malformed_not_invalid() -> None:
    error = {"type": "json_invalid", "loc": ("body", 3), "msg": PHONE, "input": PHONE}
    problem = problem_of_validation(RequestValidationError([error]))
    assert isinstance(problem, MalformedBody)
    assert PHONE not in json.dumps(problem.body("id"))


def test_two_problems_of_one_status_share_their_place_in_openapi() -> None:
    found = problems(InvalidParameter, MalformedBody, NotFound)
    assert set(found) == {400, 404}
    assert found[400]["description"].count(";") == 1
    assert "application/problem+json" in found[400]["content"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/v1/devices/", 404, "not-found"),
        ("DELETE", "/v1/devices", 405, "method-not-allowed"),
        ("GET", "/v1/devices", 401, "unauthenticated"),
        ("GET", "/%00", 404, "not-found"),
        ("GET", "/v1/nowhere/%ff%fe", 404, "not-found"),
    ],
)
async def test_the_frame_answers_with_problems_too(
    api: httpx.AsyncClient, method: str, path: str, status: int, slug: str
) -> None:
    answer = await api.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{slug}"
    if status == 405:
        assert answer.headers["allow"] == "GET, POST"


@pytest.mark.anyio
async def test_the_openapi_document_promises_problems_only(api: httpx.AsyncClient) -> None:
    document = (await api.get("/openapi.json")).json()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert "Problem" in document["components"]["schemas"]
    ids = set()
    for calls in document["paths"].values():
        for call in calls.values():
            ids.add(call["operationId"])
            for status, answer in call["responses"].items():
                if status == "default" or status >= "400":
                    assert list(answer["content"]) == ["application/problem+json"]
    assert len(ids) == sum(len(calls) for calls in document["paths"].values())


@pytest.mark.anyio
async def test_a_malformed_path_id_is_a_parameter_error(
    api: httpx.AsyncClient, people: People
) -> None:
    answer = await api.post("/v1/devices/not-an-id/revoke", headers=people.as_("ann"))
    assert answer.status_code == 400
    assert answer.json()["parameter"] == "device"
