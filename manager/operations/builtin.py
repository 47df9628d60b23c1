"""Operations that come with the manager."""

from __future__ import annotations

from typing import Any

from cloudify.decorators import operation


@operation(resumable=True)
def nothing(**_: Any) -> None:
    """Do nothing: what is left is what an operation costs by itself."""
