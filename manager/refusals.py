"""Every way in which a request can fail, turned into the contract's answer. No default body ever leaks."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from manager import errors, gate
from manager.errors import OutcomeUnknown, RestError, Unavailable

log = logging.getLogger(__name__)

ABORT = "manager.abort"
"""The ASGI extension with which the server closes a connection at once (see ``manager.server``)."""

FRAMEWORK_CODES = {
    HTTPStatus.NOT_FOUND: (errors.NotFound.error_code, "The requested URL was not found on the server."),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        errors.MethodNotAllowed.error_code,
        "The method is not allowed for the requested URL.",
    ),
    HTTPStatus.BAD_REQUEST: (errors.BadParameters.error_code, "The body could not be read."),
}


def install(app: FastAPI, get_verdict: gate.GetVerdict, hold_s: float) -> None:
    """Make ``app`` answer in the contract's words."""

    async def unavailable(_: Request, error: Exception) -> Response:
        """Nothing was done. Who stops leading at this moment says that; who goes on leading is broken."""
        pending = {gate.Verdict.LEADING, gate.Verdict.UNDECIDED}
        verdict = await gate.hold(get_verdict, pending, hold_s)
        if verdict not in gate.SERVING:
            return Response(gate.refusal(verdict), HTTPStatus.BAD_REQUEST, media_type="application/json")
        log.warning("Not available: %s", error)
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error), "service_unavailable")

    handlers: dict[type[Exception], Callable[..., Any]] = {
        RestError: _refused,
        RequestValidationError: _invalid,
        HTTPException: _framework,
        Unavailable: unavailable,
        OutcomeUnknown: _silence,
        Exception: _bug,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _answer(status: int, message: str, error_code: str, headers: Any = None) -> JSONResponse:
    return JSONResponse(errors.body(message, error_code), status, headers=headers)


async def _refused(_: Request, error: RestError) -> Response:
    return _answer(error.status, str(error), error.error_code, error.headers)


async def _invalid(_: Request, error: RequestValidationError) -> Response:
    return _answer(HTTPStatus.BAD_REQUEST, "; ".join(map(_complaint, error.errors())), "bad_parameters_error")


def _complaint(item: dict[str, Any]) -> str:
    field = ".".join(str(part) for part in item["loc"] if part != "body")
    if item["type"] == "missing":
        return f"Missing argument: {field}" if field else "Expected a JSON body"
    if item["type"] == "json_invalid":
        return "The body is not valid JSON"
    return f"{field or 'The body'}: {item['msg'].removeprefix('Value error, ')}"


async def _framework(_: Request, error: HTTPException) -> Response:
    default = (errors.RestError.error_code, str(error.detail))
    error_code, message = FRAMEWORK_CODES.get(HTTPStatus(error.status_code), default)
    return _answer(error.status_code, message, error_code, error.headers)


async def _bug(_: Request, error: Exception) -> Response:
    reference = secrets.token_hex(4)
    log.error("Internal error %s: %s", reference, type(error).__name__)
    message = f"Internal error {reference}; details are in the log of the REST service"
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, message, RestError.error_code)


async def _silence(request: Request, error: Exception) -> Response | None:
    """Close the connection: any status would claim to know whether it was done."""
    log.warning("A client gets no answer: %s", error)
    abort = request.scope.get("extensions", {}).get(ABORT)
    if abort is None:
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error), "service_unavailable")
    abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return None
