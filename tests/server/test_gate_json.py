"""Strict JSON at the gate: what is read, what is refused, and what a refusal says."""

import json
import tarfile
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.problems import MalformedBody, Problem
from server.strict_json import DEPTH_MAX, INTEGER_MAX, parse
from tests.server.people import People

HOSTILE = Path(__file__).parent / "hostile"
# Valid by RFC 8259, refused on purpose: programs disagree about what they mean.
REFUSED_ON_PURPOSE = {
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
    "y_object_escaped_null_in_key.json",
    "y_string_null_escape.json",
}


def suite() -> dict[str, bytes]:
    with tarfile.open(HOSTILE / "json_test_suite.tar.gz") as archive:
        return {
            Path(member.name).name: archive.extractfile(member).read()
            for member in archive.getmembers()
            if member.name.endswith(".json")
        }


SUITE = suite()


def refused(body: bytes) -> MalformedBody:
    with pytest.raises(MalformedBody) as caught:
        parse(body)
    return caught.value


def test_the_suite_is_there() -> None:
    assert {name[0] for name in SUITE} == {"y", "n", "i"}
    assert len(SUITE) == 160


@pytest.mark.parametrize("name", [each for each in SUITE if each.startswith("y_")])
def test_valid_json_is_read(name: str) -> None:
    if name in REFUSED_ON_PURPOSE:
        refused(SUITE[name])
    else:
        assert parse(SUITE[name]) == json.loads(SUITE[name])


@pytest.mark.parametrize("name", [each for each in SUITE if each.startswith("n_")])
def test_invalid_json_is_refused(name: str) -> None:
    refused(SUITE[name])


@pytest.mark.parametrize("name", [each for each in SUITE if each.startswith("i_")])
def test_doubtful_json_is_read_as_the_library_reads_it_or_refused(name: str) -> None:
    try:
        value = parse(SUITE[name])
    except Problem:
        return
    json.dumps(value, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("body", "reason", "where"),
    [
        (b'{"a": {"b": 1, "b": 2}}', "repeated", {"pointer": "/a"}),
        (b'{"a": [NaN]}', "NaN", {"pointer": "/a/0"}),
        (b"[Infinity]", "NaN", {"pointer": "/0"}),
        (b"[-Infinity]", "NaN", {"pointer": "/0"}),
        (b"[1e999]", "too large", {"pointer": "/0"}),
        (b"[-1e999]", "too large", {"pointer": "/0"}),
        (b"[9007199254740993]", "2^53", {"pointer": "/0"}),
        (b"[-9007199254740993]", "2^53", {"pointer": "/0"}),
        (b"[" + b"9" * 5_000 + b"]", "2^53", {"pointer": "/0"}),
        (b"[" + b"9" * 400 + b".5]", "too large", {"pointer": "/0"}),
        (b'{"name": "\\ud800"}', "surrogate", {"pointer": "/name"}),
        (b'{"name": "\\udc00\\ud800"}', "surrogate", {"pointer": "/name"}),
        (b'{"name": "a\\u0000b"}', "NUL", {"pointer": "/name"}),
        (b'{"\\u0000": 1}', "NUL", {"pointer": "/*"}),
        (b'{"a": "\x00"}', "NUL", {"offset": 7}),
        (b"\xef\xbb\xbf{}", "byte order mark", {"offset": 0}),
        ("{}".encode("utf-16"), "NUL", {"offset": 3}),
        (b'{"a": "\xff"}', "UTF-8", {"offset": 7}),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8", {"offset": 7}),
        (b'{"a" 1}', "syntax", {"offset": 5}),
        ('{"é": nope}'.encode(), "syntax", {"offset": 7}),
        (b"[" * 33 + b"]" * 33, "deep", {}),
        (b'{"a":' * 100_000, "deep", {}),
        (b"[" * 5_000_000, "deep", {}),
        (b"[" + b"[]," * 100 + b"[" * 40, "deep", {}),
    ],
)
def test_a_refusal_says_why_and_where(body: bytes, reason: str, where: dict) -> None:
    problem = refused(body)
    assert reason in problem.detail
    assert problem.extensions == where


def test_a_refusal_never_repeats_the_content() -> None:
    phone = "13812345678"
    for body in (
        f'{{"{phone}": NaN}}',
        f'{{"a": {phone}{phone}}}',
        f'{{"{phone}": "{phone}\\ud800"}}',
        f"[{phone} {phone}]",
        f'{{"{phone}": 1, "{phone}": 2}}',
    ):
        assert phone not in json.dumps(refused(body.encode()).body("id"))


def test_brackets_in_strings_do_not_count_as_depth() -> None:
    value = ["[" * 100, '\\"[[[[' * 20, "{" * 100]
    assert parse(json.dumps(value).encode()) == value


def test_the_limits_themselves_are_allowed() -> None:
    deepest = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    assert json.dumps(parse(deepest)).encode() == deepest
    assert parse(f"[{INTEGER_MAX}, {-INTEGER_MAX}]".encode()) == [INTEGER_MAX, -INTEGER_MAX]
    assert parse(b'["\\ud83d\\ude00", "\\\\u0000"]') == ["\U0001f600", "\\u0000"]


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 1_000_000 + b"[" * 40,
        b"[" * 40 + b'"\\' * 1_000_000,
        b'["' + b"\\ud83d\\ude00" * 300_000 + b'"' + b"," * 40,
        b"[" + b"9" * 4_000_000 + b"]",
        b"[" + b"9" * 4_000_000 + b".0]",
        b'{"a":' * 31 + b"1" * 1_000_000,
    ],
)
def test_no_text_takes_long(body: bytes) -> None:
    begun = time.process_time()
    refused(body)
    assert time.process_time() - begun < 1


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner
        )
    ),
    max_leaves=20,
)


@given(json_values, st.booleans())
def test_strict_json_reads_what_was_written(value: object, ascii_only: bool) -> None:  # noqa: FBT001
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:0129eE.-+\\u tfn').map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        value = parse(body)
    except MalformedBody:
        return
    json.dumps(value, allow_nan=False).encode()


@pytest.mark.anyio
async def test_every_file_of_the_suite_through_a_real_call(
    api: httpx.AsyncClient, people: People
) -> None:
    headers = people.as_("ann") | {"content-type": "application/json"}
    for name, text in SUITE.items():
        for body in (text, b'{"name": "x", "extra": ' + text + b"}"):
            answer = await api.post("/v1/devices", content=body, headers=headers)
            assert answer.status_code < 500, name
            if name.startswith("n_"):
                assert 400 <= answer.status_code < 500, name
            elif name.startswith("y_") and name not in REFUSED_ON_PURPOSE:
                slug = answer.json().get("type", "")
                assert slug in {"", "/problems/invalid-body"}, name


@pytest.mark.anyio
async def test_naughty_strings_come_back_as_they_were_or_are_refused(
    api: httpx.AsyncClient, people: People
) -> None:
    strings = json.loads((HOSTILE / "blns.json").read_text(encoding="utf-8"))
    stored = {}
    for each in strings:
        answer = await api.post("/v1/devices", json={"name": each}, headers=people.as_("ann"))
        assert answer.status_code == (201 if 1 <= len(each) <= 100 else 422)
        if answer.status_code == 201:
            stored[answer.json()["id"]] = each
        else:
            assert not each or each not in answer.text
    query: dict[str, str] = {"limit": "500"}
    listed: dict[str, str] = {}
    while True:
        answer = await api.get("/v1/devices", params=query, headers=people.as_("ann"))
        page = answer.json()
        listed |= {item["id"]: item["name"] for item in page["items"]}
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert stored == listed
