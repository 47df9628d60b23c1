from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import databases


@pytest.fixture(scope="session", autouse=True)
def original_database() -> Iterator[None]:
    """What databases were copied from goes with the last test."""
    yield
    databases.KEPT.close()
