"""District keys: read strictly, recognised, and good only for what they are for."""

import json
import os
import stat
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import new_id
from server.sealed.envelope import DataKey, new_data_key
from server.sealed.keyring import (
    INDEX,
    DistrictKey,
    new_key,
    read_keyring,
    wrapper_of,
    write_keyring,
)
from server.sealed.problems import SealingUnavailable
from server.sealed.sources import BYTES_MAX, CommandSource, FileSource, TextSource, source_of
from server.sealed.suites import SUITES, Tampered

suites = st.sampled_from(sorted(SUITES))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def same(one: DataKey, two: DataKey) -> bool:
    return (one.id, one.suite, one.key) == (two.id, two.suite, two.key)


@given(suites, suites)
def test_a_wrapped_data_key_comes_back_and_names_its_wrapper(outer: str, inner: str) -> None:
    district, key = new_key("d1", outer), new_data_key(SUITES[inner], new_id())
    wrapped = district.wrap(key)
    assert wrapper_of(wrapped) == "d1"
    assert same(district.unwrap(key.id, wrapped), key)
    assert key.key not in wrapped


@pytest.mark.parametrize("suite", SUITES)
def test_a_change_of_any_byte_of_a_wrapped_key_is_refused(suite: str) -> None:
    district, key = new_key("d1", suite), new_data_key(SUITES[suite], new_id())
    wrapped = district.wrap(key)
    for at in range(len(wrapped)):
        for bit in (1, 3, 128):
            changed = bytearray(wrapped)
            changed[at] ^= bit
            with pytest.raises(Tampered):
                district.unwrap(key.id, bytes(changed))
        with pytest.raises(Tampered):
            district.unwrap(key.id, wrapped[:at])


def test_another_district_key_or_another_id_does_not_open_it() -> None:
    district, key = new_key("d1", "intl"), new_data_key(SUITES["intl"], new_id())
    wrapped = district.wrap(key)
    with pytest.raises(Tampered):
        new_key("d1", "intl").unwrap(key.id, wrapped)
    with pytest.raises(Tampered):
        district.unwrap(new_id(), wrapped)
    with pytest.raises(Tampered):
        DistrictKey(id="d2", suite=district.suite, secret=district.secret).unwrap(
            key.id, wrapped
        )


@given(suites, texts, texts, texts, texts)
def test_an_index_is_equal_for_equal_texts_of_one_field_only(
    suite: str, field: str, other: str, one: str, two: str
) -> None:
    district = new_key("d1", suite)
    index = district.index_of(field, one)
    assert len(index) == INDEX
    assert (index == district.index_of(field, two)) == (one == two)
    assert (index == district.index_of(other, one)) == (field == other)
    assert index != new_key("d1", suite).index_of(field, one)


def test_a_keyring_is_written_and_read() -> None:
    made = [new_key("d1", "intl"), new_key("d2-gm", "gm")]
    ring = read_keyring(write_keyring(made))
    assert ring.first.id == "d1"
    assert list(ring.keys.values()) == made
    assert ring.keys["d2-gm"].check() != ring.first.check()
    assert "secret" not in repr(ring)


GOOD = {"id": "d1", "suite": "intl", "secret": b64encode(bytes(range(32))).decode()}


def test_the_keyring_that_the_refused_ones_are_made_from_is_taken() -> None:
    assert read_keyring(json.dumps({"keys": [GOOD]})).first.id == "d1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "not json",
        '{"keys": []}',
        '{"keys": 7}',
        json.dumps({"keys": [GOOD, GOOD]}),
        json.dumps({"keys": [GOOD | {"id": "D 1"}]}),
        json.dumps({"keys": [GOOD | {"id": 7}]}),
        json.dumps({"keys": [GOOD | {"suite": "rot13"}]}),
        json.dumps({"keys": [GOOD | {"secret": "c2hvcnQ="}]}),
        json.dumps({"keys": [GOOD | {"secret": "not base64!"}]}),
        json.dumps({"keys": [{"id": "d1"}]}),
        json.dumps({"keys": [GOOD | {"id": f"d{n}"} for n in range(33)]}),
    ],
)
def test_what_is_no_keyring_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(SealingUnavailable) as refused:
        read_keyring(text)
    assert GOOD["secret"] not in refused.value.detail


@pytest.mark.parametrize("name", ["", "D1", "a b", "x" * 41, "-a"])
def test_a_key_needs_a_plain_id(name: str) -> None:
    with pytest.raises(SealingUnavailable):
        new_key(name, "intl")


def test_a_keyring_comes_from_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    with pytest.raises(SealingUnavailable, match=r"^sealing-unavailable$"):
        source_of(f"file:{file}", "").read()
    file.write_text(write_keyring([new_key("d1", "intl")]))
    for mode in (stat.S_IRUSR | stat.S_IRGRP, stat.S_IRUSR | stat.S_IROTH):
        file.chmod(mode)
        with pytest.raises(SealingUnavailable) as refused:
            FileSource(file).read()
        assert "600" in refused.value.detail
    file.chmod(0o600)
    assert FileSource(file).read().first.id == "d1"


def test_a_keyring_comes_from_the_environment() -> None:
    text = write_keyring([new_key("d1", "gm")])
    assert source_of("environment", text).read().first.id == "d1"
    with pytest.raises(SealingUnavailable):
        TextSource("").read()
    with pytest.raises(SealingUnavailable):
        TextSource(" " * (BYTES_MAX + 1)).read()


def test_a_keyring_comes_from_a_command(tmp_path: Path) -> None:
    file = tmp_path / "key ring"
    file.write_text(write_keyring([new_key("d1", "intl")]))
    source = source_of(f"command:{os.fspath('/bin/cat')} '{file}'", "")
    assert source.read().first.id == "d1"


@pytest.mark.parametrize(
    "command", ["/bin/false", "/bin/echo no", "no-such-program-of-ours", "'open quote"]
)
def test_a_command_that_fails_is_said_to_fail(command: str) -> None:
    with pytest.raises(SealingUnavailable):
        CommandSource(command).read()


def test_what_a_command_says_beside_the_keys_goes_nowhere(
    capfd: pytest.CaptureFixture[str],
) -> None:
    program = "import sys; sys.stderr.write('secret'); sys.exit(1)"
    with pytest.raises(SealingUnavailable):
        CommandSource(f'{sys.executable} -c "{program}"').read()
    assert "secret" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("where", ["", "file:", "command:", "vault", "environment:x", "FILE:x"])
def test_where_keys_come_from_has_to_be_said(where: str) -> None:
    with pytest.raises(SealingUnavailable):
        source_of(where, "")
