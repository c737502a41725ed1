"""What the harness starts ends with it, however it ends."""

import os
import signal

import pytest

from tests.faults.servers import Launcher, Server, folder, fresh_sqlite, wait_for

pytestmark = [pytest.mark.db, pytest.mark.slow]


@pytest.mark.parametrize("end", [signal.SIGKILL, None])
def test_a_server_does_not_outlive_the_harness(end: signal.Signals | None) -> None:
    launcher = Launcher()
    with folder() as where:
        try:
            server = Server(launcher, fresh_sqlite(where), where).start()
            if end is not None:
                os.kill(launcher.pid, end)
        finally:
            launcher.close()
        assert wait_for(server.is_dead)
