"""Libraries without those parts of them that nobody here uses.

What a library imports stays in memory for as long as a service runs, and all services of a node have 200 MiB
together (``docs/adr/0013``). A part is left out only while its library is imported: whoever needs it later
imports it as ever. Where it is there already, nothing is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType


@contextmanager
def without(name: str) -> Iterator[None]:
    """Import in this context what imports the module ``name`` and does nothing with it then.

    Of a part of a package (``redis.asyncio``) its own parts can be imported all the same.
    """
    if name in sys.modules:
        yield
        return
    empty = ModuleType(name)
    empty.__path__ = _folders(name)
    sys.modules[name] = empty
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def missing(name: str) -> Iterator[None]:
    """Import in this context what can do without the module ``name``, and looks whether it is there."""
    if name in sys.modules:
        yield
        return
    # An import of what stands here as None fails as that of a module which is not installed.
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def _folders(name: str) -> list[str]:
    package, _, part = name.partition(".")
    spec = find_spec(package) if part else None
    folders = spec.submodule_search_locations if spec else None
    return [f"{folder}/{part}" for folder in folders or ()]
