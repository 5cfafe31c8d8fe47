"""What went wrong, as JSON: ``{"error": {"code": …, "message": …}}`` with a fitting status."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from coefvq.errors import CoefVQError

log = logging.getLogger(__name__)
STATUS = {
    "signed_out": 401,
    "not_allowed": 403,
    "store": 404,
    "not_found": 404,
    "too_slow": 408,
    "lease_lost": 409,
    "idempotency_conflict": 409,
    "too_large": 413,
    "decision_refused": 422,
    "too_many_requests": 429,
    "model_unavailable": 503,
}
"""Error code to status; every other code of ours is 400."""
NAMES = {404: "not_found", 405: "method_not_allowed"}
BUSY_S = 2


class BadRequest(CoefVQError):
    """A request that nobody can make sense of."""

    code = "bad_request"


class Conflict(CoefVQError):
    """An ``Idempotency-Key`` that came before with another request."""

    code = "idempotency_conflict"


def error_answer(
    code: str, message: str, status: int | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer for one error."""
    content = {"error": {"code": code, "message": message}}
    return JSONResponse(content, status or STATUS.get(code, 400), dict(headers or {}))


def install(app: FastAPI) -> None:
    """Let an application answer all its errors in this form."""
    app.add_exception_handler(CoefVQError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unknown)


async def _ours(_: Request, error: Any) -> JSONResponse:
    return error_answer(error.code, str(error))


async def _invalid(_: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first.get("loc", ()))
    return error_answer("bad_request", f"{where}: {first.get('msg', 'does not fit')}.")


async def _plain(_: Request, error: Any) -> JSONResponse:
    code = NAMES.get(error.status_code, "bad_request")
    return error_answer(code, str(error.detail), error.status_code, error.headers)


async def _away(_: Request, error: Any) -> JSONResponse:
    log.warning("the database does not answer: %s", type(error.orig).__name__)
    words = "The database does not answer. Try again in a moment."
    return error_answer("busy", words, 503, {"retry-after": str(BUSY_S)})


async def _gone(_: Request, error: Any) -> JSONResponse:
    return error_answer("bad_request", "The request was broken off.")


async def _unknown(_: Request, error: Any) -> JSONResponse:
    words = "Something failed here. The server's log says what."
    return error_answer("internal_error", words, 500)
