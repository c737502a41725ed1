"""Which port the demonstration takes: the one that the README names, if nobody has it."""

import socket
from pathlib import Path

import pytest

from demo.served import HOST, USUAL_PORT, listen
from demo.serving import ServerProcess, ServerSilentError
from server.settings import Settings


def test_the_usual_port_is_the_one_of_the_settings_and_of_the_readme() -> None:
    assert Settings.model_fields["port"].default == USUAL_PORT == 8000


def port_of(wanted: int | None, *, usual: int) -> int:
    with listen(wanted, usual=usual) as listener:
        return int(listener.getsockname()[1])


def test_a_port_that_is_free_is_taken_and_another_one_when_it_is_not() -> None:
    with socket.create_server((HOST, 0)) as listener:
        taken = int(listener.getsockname()[1])
        assert port_of(None, usual=taken) not in {0, taken}
    assert port_of(None, usual=taken) == taken
    assert port_of(taken, usual=USUAL_PORT) == taken
    assert port_of(0, usual=taken) not in {0, USUAL_PORT}


def test_two_servers_that_start_at_once_never_answer_for_each_other(tmp_path: Path) -> None:
    stores = [f"sqlite:///{tmp_path}/{each}.gpkg" for each in ("one", "two")]
    running = [ServerProcess(each, port=None, log=tmp_path / "log") for each in stores]
    try:
        assert len({each.url for each in running}) == len(stores)
    finally:
        for each in running:
            each.stop()


def test_a_port_that_was_asked_for_and_is_taken_is_an_error_with_its_reason(
    tmp_path: Path, sqlite_url: str
) -> None:
    with socket.create_server((HOST, 0)) as listener:
        taken = int(listener.getsockname()[1])
        with pytest.raises(ServerSilentError, match="in use"):
            ServerProcess(sqlite_url, port=taken, log=tmp_path / "log")
