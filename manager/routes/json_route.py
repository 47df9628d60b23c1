"""A route whose body, where one is due, has to be JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from manager.errors import UnsupportedContentType
from manager.models import NAME_LENGTH


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
            return await handle(request)

        return checked


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


Name = Annotated[str, AfterValidator(_name)]
Password = Annotated[str, Field(max_length=256), AfterValidator(_not_empty)]


class Body(BaseModel):
    """A request's JSON object. What it has beyond the known fields is for other versions, and ignored."""

    model_config = ConfigDict(extra="ignore")
