"""From the model's dataclasses to JSON and back.

Unknown fields are ignored when reading, so that a newer member may write more than an older one knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from orchestrator.model.errors import ConsulUnavailable

T = TypeVar("T")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def prepare(kinds: Iterable[Any]) -> None:
    """Make beforehand what it takes to read these: done before processes are forked, it is there once."""
    for kind in kinds:
        _adapter(kind)


def encode(value: object) -> str:
    """The same value always becomes the same text: Consul wakes nobody for a write that changes nothing."""
    kind: Any = type(value)
    plain = _adapter(kind).dump_python(value)
    return json.dumps(plain, default=sorted, sort_keys=True, separators=(",", ":"))


def decode(kind: type[T], text: bytes, key: str) -> T:
    """Read what ``encode`` wrote. ``key`` is for the message only.

    Raises ``ConsulUnavailable`` for anything else: what cannot be read is not known.
    """
    try:
        value: T = _adapter(cast("Any", kind)).validate_json(text)
    except ValidationError as error:
        raise ConsulUnavailable(
            f"Consul's key {key} holds no {kind.__name__}: {error.error_count()} errors"
        ) from error
    return value
