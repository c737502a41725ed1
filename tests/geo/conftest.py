"""The cores are pure: a test here that opens a socket fails."""

import pytest


@pytest.fixture(autouse=True)
def _no_network(socket_disabled):
    """Refuse every socket while a test runs."""
