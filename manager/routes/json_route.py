"""A route whose body, where one is due, has to be JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from manager.errors import TooLarge, UnsupportedContentType
from manager.models import NAME_LENGTH

MAX_BODY_BYTES = 1024 * 1024
"""More than any JSON body needs; uploads go another way."""

MAX_DEPTH = 100


class JsonRoute(APIRoute):
    """Refuses other content types, before anything else is looked at."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler behind the check."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def checked(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise UnsupportedContentType("Content type must be application/json")
            return await handle(await _read(request))

        return checked


async def _read(request: Request) -> Request:
    """The request with its body in memory. Raises ``TooLarge``: nobody, known or not, may fill that."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise TooLarge(f"The body is longer than {MAX_BODY_BYTES} bytes")

    replayed = False

    async def replay() -> Any:
        """The body; what comes behind it is that the client is gone."""
        nonlocal replayed
        if replayed:
            return await request.receive()
        replayed = True
        return {"type": "http.request", "body": bytes(content), "more_body": False}

    return Request(request.scope, replay)


def router() -> APIRouter:
    """A router of such routes, below the version of the API."""
    return APIRouter(prefix="/api/v3.1", route_class=JsonRoute)


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("may not be empty")
    return text


NAME_PATTERN = re.compile(rf"[A-Za-z0-9_.~-]{{1,{NAME_LENGTH}}}")


def _name(text: str) -> str:
    if not NAME_PATTERN.fullmatch(text):
        raise ValueError(f"up to {NAME_LENGTH} letters, digits and _.~- are allowed")
    return text


def storable(value: Any) -> Any:
    """What the database can keep: it knows neither the character NUL, nor half characters, nor infinity."""
    _check(value, MAX_DEPTH)
    return value


def _check(value: Any, depth: int) -> None:
    if not depth:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    match value:
        case str():
            _check_text(value)
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is not a number that can be kept")
        case list():
            for item in value:
                _check(item, depth - 1)
        case dict():
            for key, item in value.items():
                _check_text(key)
                _check(item, depth - 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("the NUL character is not allowed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it contains half a character (a surrogate)") from None


Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, AfterValidator(storable)]
Document = Annotated[dict[str, Any], AfterValidator(storable)]
Password = Annotated[str, Field(max_length=256), AfterValidator(_not_empty)]


class Body(BaseModel):
    """A request's JSON object. What it has beyond the known fields is for other versions, and ignored."""

    model_config = ConfigDict(extra="ignore")
