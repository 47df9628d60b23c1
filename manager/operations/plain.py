"""Values as they can be sent and stored: what the user's code returns or says may be anything."""

from __future__ import annotations

import math
from typing import Any


def text(value: object) -> str:
    """As PostgreSQL takes it: it has no NUL characters, and no halves of characters."""
    return str(value).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def plain(value: Any) -> Any:
    """Of the same meaning as JSON; what JSON has no word for becomes text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else text(value)
    if isinstance(value, dict):
        return {text(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return text(value)
