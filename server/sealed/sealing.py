"""The keys a process works with: the keyring in memory, the vault on its disk.

Which district keys are in use, and which of them seals, is said by the database; that they are
the right ones is shown by their check values.
"""

import hmac
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.clock import ticks_s
from server.sealed.envelope import DataKey, new_data_key
from server.sealed.keyring import DistrictKey, Keyring, wrapper_of
from server.sealed.problems import SealingUnavailable
from server.sealed.sources import KeySource, source_of
from server.sealed.suites import Tampered
from server.sealed.vault import Vault
from server.settings import Settings

AGAIN_S: Final = 5.0
"""How long a keyring that lacks a key is not read again."""


class DataKeyLost(SealingUnavailable):
    """A data key is in the vault and cannot be unwrapped by the keys at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """A district key the database names: its check value, and whether it seals."""

    id: str
    check: bytes
    seals: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Keys:
    """The district keys at hand, all in use among them; `current` is the one that seals."""

    current: DistrictKey
    known: Sequence[DistrictKey]

    def the(self, key_id: str) -> DistrictKey:
        """Return one of them.

        Raises:
            SealingUnavailable: if it is not among them.
        """
        for each in self.known:
            if each.id == key_id:
                return each
        raise SealingUnavailable(f"The district key {key_id} is not in the keyring.")


class Sealing:
    """Reads the keyring when it has to, and data keys when they are asked for.

    Everything here may block for as long as a disk or the operator's command takes.
    """

    def __init__(self, source: KeySource, vault: Vault) -> None:
        self.vault = vault
        self._source = source
        self._ring: Keyring | None = None
        self._missed_s = float("-inf")
        self._lock = threading.Lock()

    def keys(self, in_use: Sequence[InUse]) -> Keys:
        """Return the keys for a database that uses `in_use`; a new keyring is noticed here.

        Raises:
            SealingUnavailable: if one of them is missing or is not the same key.
        """
        ring = self._ring_with({each.id for each in in_use})
        for each in in_use:
            key = ring.keys.get(each.id)
            if key is None:
                raise SealingUnavailable(f"The district key {each.id} is not in the keyring.")
            if not hmac.compare_digest(key.check(), each.check):
                raise SealingUnavailable(f"The district key {each.id} is not the one in use.")
        sealing = [ring.keys[each.id] for each in in_use if each.seals]
        return Keys(
            current=sealing[0] if sealing else ring.first, known=tuple(ring.keys.values())
        )

    def read_again(self) -> Keyring:
        """Read the keyring now."""
        with self._lock:
            self._ring = self._source.read()
            return self._ring

    def open(self, keys: Keys, key_id: str) -> DataKey:
        """Return a data key.

        Raises:
            SealingUnavailable: if it is not in the vault, or cannot be unwrapped.
        """
        found = self._opened(keys, key_id, self.vault.read(key_id))
        if found is None:
            raise SealingUnavailable("The data key of this value is not in the vault.")
        return found

    def ready_to_seal(self, keys: Keys, key_id: str, *, used: bool) -> DataKey:
        """Return a data key wrapped by the current district key.

        If there is none and it is not `used`, it is made. One that cannot be unwrapped is never
        replaced under its id: somebody beside us may be sealing with it.

        Raises:
            DataKeyLost: if it cannot be unwrapped.
            SealingUnavailable: if it is `used` and not in the vault.
        """
        if not used and self.vault.read(key_id) is None:
            made = new_data_key(keys.current.suite, key_id)
            self.vault.create(key_id, keys.current.wrap(made))
        key = self.open(keys, key_id)
        self.wrap_anew(keys, key_id)
        return key

    def wrap_anew(self, keys: Keys, key_id: str) -> bool:
        """Wrap a data key by the current district key; False if it is, or is not there."""
        wrapped = self.vault.read(key_id)
        key = self._opened(keys, key_id, wrapped)
        if wrapped is None or key is None or wrapper_of(wrapped) == keys.current.id:
            return False
        return self.vault.replace(key_id, wrapped, keys.current.wrap(key))

    def _opened(self, keys: Keys, key_id: str, wrapped: bytes | None) -> DataKey | None:
        if wrapped is None:
            return None
        try:
            return keys.the(wrapper_of(wrapped)).unwrap(key_id, wrapped)
        except Tampered as error:
            raise DataKeyLost("A data key in the vault is damaged.") from error
        except SealingUnavailable as error:
            raise DataKeyLost(error.detail) from error

    def _ring_with(self, wanted: set[str]) -> Keyring:
        ring = self._ring
        if ring is None:
            return self.read_again()
        if wanted <= ring.keys.keys() or ticks_s() - self._missed_s < AGAIN_S:
            return ring
        ring = self.read_again()
        if not wanted <= ring.keys.keys():
            self._missed_s = ticks_s()
        return ring


def vault_of(settings: Settings) -> Vault:
    """Return the vault the settings name."""
    return Vault(Path(settings.sealed_vault))


def open_sealing(settings: Settings) -> Sealing | None:
    """Return what seals, None where no purpose is named: then nothing is ever sealed.

    Raises:
        SealingUnavailable: if the settings say nothing of where the keys are.
    """
    if not settings.sealed_purposes:
        return None
    source = source_of(settings.sealed_keys, settings.sealed_keyring)
    return Sealing(source, vault_of(settings))
