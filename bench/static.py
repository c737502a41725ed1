"""A FastAPI application that answers from memory: what HTTP alone costs on the same stack."""

import os
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.responses import Response

BODY_FILE: Final = "BENCH_BODY_FILE"


def make_app() -> FastAPI:
    """Return the application; the environment names the file whose bytes it answers."""
    body = Path(os.environ[BODY_FILE]).read_bytes()
    app = FastAPI()

    @app.post("/v1/sync")
    async def answer() -> Response:
        return Response(body, media_type="application/json")

    return app
