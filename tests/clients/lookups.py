"""What tests of phones look up."""

import json
from typing import Any

from tests.simulation.city import City, Handset


def household_of(handset: Handset) -> str:
    return handset.phone.records("household")[0].record


def requests_of(city: City) -> list[dict[str, Any]]:
    return [json.loads(content) for _, content, _ in city.transport.seen]
