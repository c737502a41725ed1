"""A city in memory, one of its phones, and what tests of phones look up."""

from collections.abc import Iterator

import pytest

from tests.simulation.city import City, Handset


@pytest.fixture
def city() -> Iterator[City]:
    made = City()
    yield made
    for handset in made.handsets:
        handset.phone.close()


@pytest.fixture
def ann(city: City) -> Handset:
    assert city.handsets[0].phone.sync().up_to_date
    return city.handsets[0]
