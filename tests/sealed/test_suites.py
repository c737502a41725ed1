"""What is sealed opens again, only with its key, only in its place, and only unchanged."""

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from server.clock import new_id
from server.sealed.envelope import (
    TEXT_BYTES_MAX,
    DataKey,
    Place,
    key_id_of,
    new_data_key,
    seal,
    seal_with,
    unseal,
)
from server.sealed.suites import NONCE, SUITES, Suite, Tampered, bound_to

suites = st.sampled_from(sorted(SUITES)).map(SUITES.__getitem__)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
places = st.builds(Place, table=words, record=words, field=words)


@given(suites, places, words)
def test_what_is_sealed_opens_again_and_is_not_to_be_seen(
    suite: Suite, place: Place, text: str
) -> None:
    key = new_data_key(suite, new_id())
    sealed = seal(key, place, text)
    assert unseal(key, place, sealed) == text
    assert key_id_of(sealed) == key.id
    if len(text.encode()) > 3:
        assert text.encode() not in sealed


@given(suites, words, st.data())
def test_a_change_of_any_byte_of_the_value_is_refused(
    suite: Suite, text: str, data: st.DataObject
) -> None:
    key, place = new_data_key(suite, new_id()), Place(table="t", record="r", field="f")
    sealed = seal(key, place, text)
    at = data.draw(st.integers(0, len(sealed) - 1))
    bit = data.draw(st.integers(1, 255))
    changed = bytearray(sealed)
    changed[at] ^= bit
    with pytest.raises(Tampered):
        unseal(key, place, bytes(changed))


@pytest.mark.parametrize("name", SUITES)
def test_every_single_byte_and_every_shorter_value_is_refused(name: str) -> None:
    key, place = new_data_key(SUITES[name], new_id()), Place(table="t", record="r", field="f")
    sealed = seal(key, place, "11010519491231002X")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        for wrong in (bytes(changed), sealed[:at]):
            with pytest.raises(Tampered):
                unseal(key, place, wrong)


@given(suites, words, st.data())
def test_a_change_of_any_byte_of_the_key_is_refused(
    suite: Suite, text: str, data: st.DataObject
) -> None:
    key, place = new_data_key(suite, new_id()), Place(table="t", record="r", field="f")
    sealed = seal(key, place, text)
    changed = bytearray(key.key)
    changed[data.draw(st.integers(0, suite.key_bytes - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Tampered):
        unseal(DataKey(id=key.id, suite=suite, key=bytes(changed)), place, sealed)


@given(suites, places, places)
def test_a_value_moved_to_another_place_or_key_is_refused(
    suite: Suite, here: Place, there: Place
) -> None:
    key = new_data_key(suite, new_id())
    sealed = seal(key, here, "value")
    if here != there:
        with pytest.raises(Tampered):
            unseal(key, there, sealed)
    other = DataKey(id=new_id(), suite=suite, key=key.key)
    renamed = sealed[:1] + seal(other, here, "")[1:17] + sealed[17:]
    with pytest.raises(Tampered):
        unseal(other, here, renamed)


@given(st.lists(words, max_size=4), st.lists(words, max_size=4))
def test_two_lists_of_parts_never_bind_to_the_same(one: list[str], two: list[str]) -> None:
    assert (bound_to(*one) == bound_to(*two)) == (one == two)


@given(st.binary(min_size=NONCE, max_size=NONCE), words, words)
def test_a_nonce_used_twice_tells_only_whether_values_are_equal(
    nonce: bytes, one: str, two: str
) -> None:
    key, place = new_data_key(SUITES["intl"], new_id()), Place(table="t", record="r", field="f")
    first, second = (seal_with(key, place, text, nonce) for text in (one, two))
    assert (first == second) == (one == two)
    assert unseal(key, place, first) == one
    assert unseal(key, place, second) == two
    if one != two and len(first) == len(second):
        # Under a stream cipher the difference of the two would be that of the texts.
        start = 17 + NONCE
        difference = bytes(a ^ b for a, b in zip(first, second, strict=True))[start:-16]
        assert difference.count(0) < len(difference) / 2


def test_no_two_values_share_a_nonce() -> None:
    key, place = new_data_key(SUITES["gm"], new_id()), Place(table="t", record="r", field="f")
    nonces = {seal(key, place, "same")[17 : 17 + NONCE] for _ in range(2_000)}
    assert len(nonces) == 2_000


@given(suites, st.integers(0, 61), st.integers(0, 61))
def test_the_length_of_a_short_value_does_not_show(suite: Suite, one: int, two: int) -> None:
    key, place = new_data_key(suite, new_id()), Place(table="t", record="r", field="f")
    assert len(seal(key, place, "x" * one)) == len(seal(key, place, "x" * two))


def test_too_long_a_value_is_refused() -> None:
    key, place = new_data_key(SUITES["intl"], new_id()), Place(table="t", record="r", field="f")
    assert unseal(key, place, seal(key, place, "x" * TEXT_BYTES_MAX)) == "x" * TEXT_BYTES_MAX
    with pytest.raises(ValueError, match="at most"):
        seal(key, place, "x" * (TEXT_BYTES_MAX + 1))


RFC_8998 = {
    "key": "0123456789abcdeffedcba9876543210",
    "nonce": "00001234567800000000abcd",
    "bound": "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    "plain": "".join(digit * 16 for digit in "aabbccddeeffeeaa"[::2]),
    "sealed": "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
    "83de3541e4c2b58177e065a9bf7b62ec",
}
RFC_8452 = {
    "key": "01" + "00" * 31,
    "nonce": "03" + "00" * 11,
    "bound": "",
    "plain": "0100000000000000",
    "sealed": "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28",
}


@pytest.mark.parametrize(
    ("suite", "vector"), [("gm", RFC_8998), ("intl", RFC_8452)], ids=["SM4-GCM", "AES-GCM-SIV"]
)
def test_the_published_test_vectors_come_out(suite: str, vector: dict[str, str]) -> None:
    given_ = {name: bytes.fromhex(text) for name, text in vector.items()}
    key, nonce, bound = given_["key"], given_["nonce"], given_["bound"]
    assert SUITES[suite].encrypt(key, nonce, given_["plain"], bound) == given_["sealed"]
    assert SUITES[suite].decrypt(key, nonce, given_["sealed"], bound) == given_["plain"]


def test_the_suite_of_national_algorithms_hashes_with_sm3() -> None:
    """HMAC by its definition over the published digest of GB/T 32905: SM3, not SHA-256."""
    digest = hashes.Hash(SUITES["gm"].hashed())
    digest.update(b"abc")
    assert digest.finalize().hex() == (
        "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    )
    assert SUITES["gm"].keyed_hash(b"key", b"") != SUITES["intl"].keyed_hash(b"key", b"")
