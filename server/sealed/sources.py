"""Where a keyring comes from: a file, the environment, or a command of the operator's.

The command is the hook for a key management service: it asks the service and writes the keyring
to standard output. jingwei keeps what it said in memory and nowhere else.
"""

import os
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Final, Protocol

from server.sealed.keyring import Keyring, read_keyring
from server.sealed.problems import SealingUnavailable

COMMAND_S: Final = 20.0
BYTES_MAX: Final = 64 * 1024


class KeySource(Protocol):
    """Something that can hand over the keyring, as often as it is asked."""

    def read(self) -> Keyring:
        """Return the keyring as it is now.

        Raises:
            SealingUnavailable: if there is none or it cannot be read.
        """
        ...


class FileSource:
    """A file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Keyring:
        """Return the keyring of the file."""
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise SealingUnavailable("The keyring file is open to others: chmod 600.")
                return _parsed(file.read(BYTES_MAX + 1))
        except OSError as error:
            raise SealingUnavailable("The keyring file cannot be read.") from error


class TextSource:
    """A text that came with the settings, from the environment."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> Keyring:
        """Return the keyring of the text."""
        if not self._text:
            raise SealingUnavailable("JINGWEI_SEALED_KEYRING is empty.")
        return _parsed(self._text.encode())


class CommandSource:
    """A command line that is run without a shell and writes the keyring."""

    def __init__(self, command: str) -> None:
        self._command = command

    def read(self) -> Keyring:
        """Return the keyring the command writes; what it says on standard error is dropped."""
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command, from the settings
                shlex.split(self._command),
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_S,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise SealingUnavailable("The command that hands over the keys failed.") from error
        return _parsed(done.stdout)


def _parsed(text: bytes) -> Keyring:
    if len(text) > BYTES_MAX:
        raise SealingUnavailable(f"A keyring has at most {BYTES_MAX} bytes.")
    return read_keyring(text.decode("utf-8", errors="replace"))


def source_of(where: str, keyring: str) -> KeySource:
    """Return the source that the setting `JINGWEI_SEALED_KEYS` names.

    Raises:
        SealingUnavailable: if it names none.
    """
    kind, _, rest = where.partition(":")
    if kind == "file" and rest:
        return FileSource(Path(rest))
    if kind == "command" and rest:
        return CommandSource(rest)
    if where == "environment":
        return TextSource(keyring)
    raise SealingUnavailable(
        "JINGWEI_SEALED_KEYS must be file:PATH, environment or command:COMMAND."
    )
