"""FastAPI without the first version of pydantic's models. To be imported before it.

It looks whether a class is one of those, and imports 25 modules for that (1.5 MiB). None is used here.
"""

from __future__ import annotations

import sys
from types import ModuleType


class FirstVersion(ModuleType):
    """As much of ``pydantic.v1`` as is looked at."""

    class BaseModel:
        """No class is made of it."""


sys.modules.setdefault("pydantic.v1", FirstVersion("pydantic.v1"))
