"""The servers that the harness breaks, started once."""

from collections.abc import Iterator

import pytest

from tests import services
from tests.faults.runs import Machines


@pytest.fixture(scope="session")
def machines() -> Iterator[Machines]:
    made = Machines()
    try:
        made.cluster()
        yield made
    except services.ServiceMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    finally:
        made.close()
