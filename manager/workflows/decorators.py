"""How a workflow function is marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def workflow(func: Function) -> Function: ...
@overload
def workflow(*, resumable: bool = False) -> Callable[[Function], Function]: ...
def workflow(func: Any = None, *, resumable: bool = False) -> Any:
    """A workflow. ``resumable``: whether it may be called again when it was interrupted, and goes on then."""

    def mark(function: Function) -> Function:
        function.resumable = resumable  # type: ignore[attr-defined]  # read by whoever calls it
        return function

    return mark if func is None else mark(func)
