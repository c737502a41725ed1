"""How errors become problems: what Pydantic, Starlette and our own code raise, and the rest."""

import errno
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException  # noqa: TID251 - to catch it, not to raise it
from starlette.routing import Route

from server.db.constraints import problem_slug
from server.db.store import StoreBusy
from server.pointers import json_pointer
from server.problems import (
    AlreadyExists,
    BodyError,
    BodyTooLarge,
    Forbidden,
    InvalidBody,
    InvalidParameter,
    MalformedBody,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    Problem,
    ServerFault,
    ServiceUnavailable,
    Unauthenticated,
    UnsupportedMedia,
)

CONTENDED = "contended"
_AWAY = (ConnectionError, TimeoutError)
_SHORT_OF = frozenset(
    {
        errno.EAGAIN, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE,
        errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC,
    }
)  # fmt: skip
_log = logging.getLogger("jingwei.problems")

# Messages of these Pydantic errors are made from the schema alone; others may quote the input.
_QUIET_ERRORS = frozenset(
    {
        "bool_type", "dict_type", "enum", "extra_forbidden", "finite_number", "float_type",
        "greater_than", "greater_than_equal", "int_type", "less_than", "less_than_equal",
        "list_type", "literal_error", "missing", "model_attributes_type", "model_type",
        "multiple_of", "string_pattern_mismatch", "string_too_long", "string_too_short",
        "string_type", "too_long", "too_short", "union_tag_not_found", "value_error",
    }
)  # fmt: skip


def reason_of(error: Mapping[str, Any]) -> str:
    """Return why a Pydantic error happened, without the input or its context."""
    if error["type"] == "missing":
        return "is required"
    if error["type"] == "extra_forbidden":
        return "is not a known member"
    if error["type"] in _QUIET_ERRORS:
        return str(error["msg"]).removeprefix("Value error, ")
    return f"is not valid ({error['type'].replace('_', ' ')})"


def problem_of_validation(found: RequestValidationError) -> Problem:
    """Return the problem for what FastAPI could not validate.

    400 for parameters, 422 for bodies.
    """
    errors = found.errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return MalformedBody("The body is not JSON.")
    for each in errors:
        place, *path = each["loc"] or ("body",)
        if place != "body":
            name = json_pointer(path)[1:]
            return InvalidParameter(f"{name}: {reason_of(each)}", parameter=name)
    listed = [
        BodyError(
            pointer=json_pointer(_sent(each["loc"][1:], found.body)), reason=reason_of(each)
        )
        for each in errors
    ]
    return InvalidBody(errors=listed)


def _sent(path: Sequence[str | int], body: Any) -> list[str | int]:
    """Return the part of a path that leads through the body itself.

    Pydantic puts the word that chose one of several schemas between a member and its own; the
    last token may name a member that is missing.
    """
    kept: list[str | int] = []
    for place, token in enumerate(path):
        named = isinstance(body, dict) and isinstance(token, str)
        if named and token not in body and place < len(path) - 1:
            continue
        kept.append(token)
        try:
            body = body[token]
        except (KeyError, IndexError, TypeError):
            body = None
    return kept


_BY_STATUS: Mapping[int, type[Problem]] = {
    400: MalformedBody,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    413: BodyTooLarge,
    415: UnsupportedMedia,
}


def request_id_of(request: Request) -> str | None:
    """Return the id the gate gave to this request."""
    found = getattr(request.state, "request_id", None)
    return found if isinstance(found, str) else None


def _on_problem(request: Request, error: Exception) -> Response:
    return cast("Problem", error).response(request_id_of(request))


def _on_validation(request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error)
    return problem_of_validation(found).response(request_id_of(request))


def _allowed_methods(app: FastAPI, path: str) -> str:
    """Return the methods that `path` has, as the `Allow` header lists them."""
    routers: Sequence[APIRouter] = app.state.routers
    routes = [each for router in routers for each in router.routes if isinstance(each, Route)]
    found = {
        method
        for route in routes
        if route.path_regex.match(path)
        for method in route.methods or ()
    }
    return ", ".join(sorted(found))


def _on_http(request: Request, error: Exception) -> Response:
    refused = cast("HTTPException", error)
    problem = _BY_STATUS.get(refused.status_code, ServerFault)()
    response = problem.response(request_id_of(request))
    if refused.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["allow"] = _allowed_methods(request.app, request.url.path)
    return response


def problem_of_fault(error: BaseException, request_id: str | None) -> Problem:
    """Return the problem for an unexpected exception and log where it arose.

    What the machine lacks for the moment is no defect of ours: the caller comes again.
    """
    log_fault(error, f"request {request_id}")
    return ServiceUnavailable() if _is_shortage(error) else ServerFault()


def _is_shortage(error: BaseException) -> bool:
    """Say whether memory, file handles, the disk or a connection failed us, and may be back."""
    if isinstance(error, OSError):
        return isinstance(error, _AWAY) or error.errno in _SHORT_OF
    return isinstance(error, MemoryError)


def log_fault(error: BaseException, what: str) -> None:
    """Log that `what` failed with an unexpected exception, and where it arose.

    The log names the class of the exception and the innermost lines of our code, never its
    message: drivers put values into messages.
    """
    where: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        where.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    _log.error(
        "%s failed: %s at %s",
        what,
        type(error).__name__,
        " < ".join(where[:-7:-1]),
    )


def _on_busy(request: Request, error: Exception) -> Response:
    del error
    return ServiceUnavailable().response(request_id_of(request))


def _on_constraint(request: Request, error: Exception) -> Response:
    """Answer a violated constraint if the caller can do something; else it is our fault."""
    request_id = request_id_of(request)
    slug = problem_slug(cast("IntegrityError", error))
    if slug is None:
        return problem_of_fault(error, request_id).response(request_id)
    if slug == CONTENDED:
        return ServiceUnavailable().response(request_id)
    return AlreadyExists(code=slug).response(request_id)


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Make `app`, made of `routers`, answer every error as a problem."""
    app.state.routers = routers
    app.add_exception_handler(StoreBusy, _on_busy)
    app.add_exception_handler(IntegrityError, _on_constraint)
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
