"""The OpenAPI document: what the framework knows of the routes, and what it cannot know.

That is how a caller says who he is and in which tenant he works, what all lists understand, and what a
refusal looks like. What a route asks for in its signature tells which of these apply to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from manager import auth, dependencies, patience, tenancy

Json = dict[str, Any]

ERROR: Json = {
    "type": "object",
    "required": ["message", "error_code", "server_traceback"],
    "properties": {
        "message": {"type": "string"},
        "error_code": {"type": "string"},
        "server_traceback": {"type": ["string", "null"]},
    },
}
PAGINATION = {name: {"type": "integer", "minimum": 0} for name in ("total", "offset", "size")}
LIST: Json = {
    "type": "object",
    "required": ["items", "metadata"],
    "properties": {
        "items": {"type": "array", "items": {"type": "object"}},
        "metadata": {
            "type": "object",
            "required": ["pagination"],
            "properties": {
                "pagination": {"type": "object", "required": list(PAGINATION), "properties": PAGINATION}
            },
        },
    },
}
SCHEMES: Json = {
    "basic": {"type": "http", "scheme": "basic"},
    "token": {"type": "apiKey", "in": "header", "name": auth.TOKEN_HEADER},
}

ALWAYS = {
    400: "The request is wrong, or this manager is not the active one of its cluster.",
    404: "There is no such thing.",
    503: "The database does not answer, or the manager is in maintenance mode.",
}
OF_CALLERS = {401: "Nobody was recognised.", 403: "The caller may not do this, or not in this tenant."}
OF_WRITES = {409: "It is there already, or its state does not allow this."}
OF_UPLOADS = {413: "The file is too long.", 507: "The manager's disk is full."}
OF_BODIES = {413: "The body is too long.", 415: "The body is not JSON."}

INCLUDE: Json = {
    "name": "_include",
    "description": "Only these fields, separated by commas.",
    "schema": {"type": "string"},
}
GET_DATA: Json = {"name": "_get_data", "description": "Tell more of it.", "schema": {"type": "boolean"}}
REPEATED: Json = {"type": "array", "items": {"type": "string"}}
WHOLE: Json = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
OF_LISTS: tuple[Json, ...] = (
    {"name": "_sort", "description": "A field; with `-` before it the greatest first.", "schema": REPEATED},
    {"name": "_offset", "description": "How many to leave out.", "schema": WHOLE},
    {"name": "_size", "description": "How many to tell at most; 1000 if not given.", "schema": WHOLE},
    {"name": "_get_all_results", "description": "All, whatever `_size` is.", "schema": {"type": "boolean"}},
    {"name": "_search", "description": "Only those whose name holds this.", "schema": {"type": "string"}},
    {
        "name": "_range",
        "description": "`field,from,to`, both included; one may be empty.",
        "schema": REPEATED,
    },
    {"name": "_all_tenants", "description": "Those of all tenants.", "schema": {"type": "boolean"}},
    {
        "name": "filters",
        "description": "Any field: only those with this value. Repeated: or.",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    },
)


def install(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Have ``app`` serve a document that is complete. ``routers``: all that it includes."""
    plain = app.openapi
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]

    def complete() -> Json:
        document = plain()
        if "Error" in document["components"]["schemas"]:
            return document  # The framework keeps what it has made.
        for route in routes:
            for method in route.methods or ():
                _complete(document["paths"][route.path][method.lower()], method, route)
        parts = document["components"]
        for unused in ("HTTPValidationError", "ValidationError"):
            parts["schemas"].pop(unused, None)
        parts["schemas"] |= {"Error": ERROR, "List": LIST}
        parts["securitySchemes"] = SCHEMES
        return document

    app.openapi = complete  # type: ignore[method-assign]  # as the framework's own documentation says


def _complete(operation: Json, method: str, route: APIRoute) -> None:
    asked = set(_calls(route.dependant))
    responses = operation["responses"]
    responses.pop("422", None)
    takes = {"has_body": route.body_field is not None, "is_upload": route.openapi_extra is not None}
    for status, meaning in sorted(_refusals(asked, method, **takes).items()):
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        responses.setdefault(str(status), {"description": meaning, "content": content})
    parameters = [*operation.get("parameters", ()), *_parameters(asked, route.name)]
    if parameters:
        operation["parameters"] = parameters
    if route.name.startswith("list_"):
        responses["200"]["content"]["application/json"]["schema"] = {"$ref": "#/components/schemas/List"}
    if asked & CALLERS:
        operation["security"] = [{name: []} for name in SCHEMES]


CALLERS: set[Callable[..., Any]] = {dependencies.find_caller, dependencies.find_cluster_admin}


def _refusals(
    asked: set[Callable[..., Any]], method: str, *, has_body: bool, is_upload: bool
) -> dict[int, str]:
    return {
        **(ALWAYS if asked else {}),
        **(OF_CALLERS if asked & CALLERS else {}),
        **(OF_WRITES if patience.write_slot in asked or method != "GET" else {}),
        **(OF_BODIES if has_body else {}),
        **(OF_UPLOADS if is_upload else {}),
    }


def _parameters(asked: set[Callable[..., Any]], name: str) -> Iterator[Json]:
    if asked & CALLERS:
        yield {
            "name": "Tenant",
            "in": "header",
            "required": tenancy.find_scope in asked,
            "schema": {"type": "string"},
        }
    if dependencies.read_list_query in asked:
        for parameter in (INCLUDE, GET_DATA, *(OF_LISTS if name.startswith("list_") else ())):
            yield {"in": "query", "required": False, **parameter}


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    """All that a route depends on, however far away."""
    for one in dependant.dependencies:
        if one.call is not None:
            yield one.call
        yield from _calls(one)
