"""The vault: one key under an id whoever is first, and what is destroyed stays destroyed."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.clock import new_id
from server.sealed.envelope import new_data_key
from server.sealed.keyring import new_key, write_keyring
from server.sealed.problems import SealingUnavailable
from server.sealed.sealing import DataKeyLost, InUse, Keys, Sealing, open_sealing
from server.sealed.sources import TextSource
from server.sealed.suites import SUITES
from server.sealed.vault import Vault
from server.settings import Settings


def test_what_is_put_in_comes_out_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    vault, key_id = Vault(tmp_path / "vault"), new_id()
    assert vault.read(key_id) is None
    assert vault.create(key_id, b"one") == b"one"
    assert vault.create(key_id, b"two") == b"one"
    assert Vault(tmp_path / "vault").read(key_id) == b"one"
    for each in (tmp_path / "vault").rglob("*"):
        if each.name != "lock":
            assert not each.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def test_of_many_that_make_a_key_at_once_all_get_the_same(tmp_path: Path) -> None:
    vault, key_id = Vault(tmp_path / "vault"), new_id()
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda n: vault.create(key_id, b"%d" % n), range(40)))
    assert made == {vault.read(key_id)}
    assert len([each for each in (tmp_path / "vault").rglob("*") if each.is_file()]) == 2


def test_a_destroyed_key_does_not_come_back_by_being_wrapped_anew(tmp_path: Path) -> None:
    vault, key_id = Vault(tmp_path / "vault"), new_id()
    vault.create(key_id, b"old")
    assert vault.replace(key_id, b"old", b"new")
    assert not vault.replace(key_id, b"old", b"newer")
    assert vault.read(key_id) == b"new"
    vault.destroy(key_id)
    assert not vault.replace(key_id, b"new", b"newest")
    assert vault.read(key_id) is None
    vault.destroy(key_id)
    vault.destroy(new_id())


def test_a_folder_that_cannot_be_used_is_said_to_be_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    vault = Vault(tmp_path / "file" / "vault")
    with pytest.raises(SealingUnavailable):
        vault.read(new_id())
    with pytest.raises(SealingUnavailable):
        vault.create(new_id(), b"x")


FIRST, SECOND = new_key("d1", "intl"), new_key("d2", "gm")


def sealing(tmp_path: Path) -> Sealing:
    return Sealing(TextSource(write_keyring([FIRST, SECOND])), Vault(tmp_path / "vault"))


def used(*, seals: str = "d1") -> list[InUse]:
    return [
        InUse(id=key.id, check=key.check(), seals=key.id == seals) for key in (FIRST, SECOND)
    ]


def test_the_database_says_which_key_seals_and_until_then_it_is_the_first(
    tmp_path: Path,
) -> None:
    found = sealing(tmp_path)
    assert found.keys([]).current == FIRST
    assert found.keys(used(seals="d2")).current == SECOND
    with pytest.raises(SealingUnavailable):
        found.keys([]).the("d3")


def test_a_key_that_is_missing_or_another_is_refused(tmp_path: Path) -> None:
    found = sealing(tmp_path)
    for each in (
        InUse(id="d3", check=b"", seals=False),
        InUse(id="d1", check=SECOND.check(), seals=True),
    ):
        with pytest.raises(SealingUnavailable) as refused:
            found.keys([each])
        assert each.id in refused.value.detail


def test_a_data_key_that_sealed_something_is_never_replaced(tmp_path: Path) -> None:
    found, key_id = sealing(tmp_path), new_id()
    keys = found.keys([])
    with pytest.raises(SealingUnavailable):
        found.ready_to_seal(keys, key_id, used=True)
    made = found.ready_to_seal(keys, key_id, used=False)
    assert found.ready_to_seal(keys, key_id, used=True).key == made.key
    assert found.ready_to_seal(keys, key_id, used=False).key == made.key


def test_a_damaged_key_is_never_replaced_under_its_id(tmp_path: Path) -> None:
    found, key_id = sealing(tmp_path), new_id()
    keys = found.keys([])
    found.vault.create(key_id, FIRST.wrap(new_data_key(SUITES["intl"], new_id())))
    before = found.vault.read(key_id)
    for used_already in (True, False):
        with pytest.raises(DataKeyLost):
            found.ready_to_seal(keys, key_id, used=used_already)
    assert found.vault.read(key_id) == before
    other = new_id()
    found.vault.create(other, new_key("d9", "intl").wrap(new_data_key(SUITES["intl"], other)))
    with pytest.raises(DataKeyLost):
        found.ready_to_seal(keys, other, used=False)


def test_a_key_that_seals_is_wrapped_by_the_current_district_key(tmp_path: Path) -> None:
    found, key_id = sealing(tmp_path), new_id()
    made = found.ready_to_seal(found.keys([]), key_id, used=False)
    later = found.keys(used(seals="d2"))
    assert found.ready_to_seal(later, key_id, used=True).key == made.key
    only = Keys(current=SECOND, known=(SECOND,))
    assert found.open(only, key_id).key == made.key
    assert not found.wrap_anew(only, key_id)
    assert not found.wrap_anew(only, new_id())


def test_without_a_purpose_nothing_is_sealed_and_with_one_keys_are_needed() -> None:
    assert open_sealing(Settings(sealed_purposes="")) is None
    with pytest.raises(SealingUnavailable):
        open_sealing(Settings(sealed_purposes="insurance", sealed_keys=""))
