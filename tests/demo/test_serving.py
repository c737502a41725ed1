"""Which port the demonstration takes: the one that the README names, if nobody has it."""

import socket

from demo.serving import HOST, USUAL_PORT, chosen_port
from server.settings import Settings


def test_the_usual_port_is_the_one_of_the_settings_and_of_the_readme() -> None:
    assert Settings.model_fields["port"].default == USUAL_PORT == 8000


def test_a_port_that_is_free_is_taken_and_another_one_when_it_is_not() -> None:
    with socket.create_server((HOST, 0)) as listener:
        taken = int(listener.getsockname()[1])
        other = chosen_port(None, usual=taken)
        assert other not in {0, taken}
    assert chosen_port(None, usual=taken) == taken
    assert chosen_port(taken) == taken
    assert chosen_port(0) not in {0, USUAL_PORT}
