"""What endpoints ask for besides their own input.

The store, the wake-ups, the time, the body.
"""

from typing import Annotated, Any, cast

from fastapi import Depends, Request

from server.clock import now_ms
from server.db.store import Store
from server.notify import Wakeups
from server.settings import Settings


async def the_store(request: Request) -> Store:
    """Return the open store of this application."""
    return cast("Store", request.app.state.store)


def settings_of(request: Request) -> Settings:
    """Return the settings this application was made with."""
    return cast("Settings", request.app.state.settings)


async def the_wakeups(request: Request) -> Wakeups:
    """Return the wake-ups of this application."""
    return cast("Wakeups", request.app.state.wakeups)


async def the_time(request: Request) -> int:
    """Return the time at which this request is judged, milliseconds UTC.

    One value per request.
    """
    found = getattr(request.state, "now_ms", None)
    if found is None:
        found = request.state.now_ms = now_ms()
    return int(found)


async def the_json(request: Request) -> Any:
    """Return the body as the gate parsed it (strict JSON), or None if there was none."""
    return getattr(request.state, "json", None)


async def the_load(request: Request) -> float:
    """Return how busy the server was when the request came: 0 idle, 1 full."""
    return float(getattr(request.state, "load", 0.0))


StoreDep = Annotated[Store, Depends(the_store)]
WakeupsDep = Annotated[Wakeups, Depends(the_wakeups)]
Now = Annotated[int, Depends(the_time)]
SettingsDep = Annotated[Settings, Depends(settings_of)]
JsonBody = Annotated[Any, Depends(the_json)]
Load = Annotated[float, Depends(the_load)]
