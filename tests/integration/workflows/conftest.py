"""One manager with a real database, broker and worker for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.operations import Bench, Place, bench


@pytest.fixture(scope="module")
def quiet_bench() -> Iterator[Bench]:
    """Without a worker."""
    with bench() as made:
        yield made


@pytest.fixture(scope="module")
def working(quiet_bench: Bench) -> Iterator[Bench]:
    """With a worker."""
    with quiet_bench.worker():
        yield quiet_bench


@pytest.fixture
def place(working: Bench) -> Place:
    """A deployment of a blueprint with no files yet."""
    return working.place()
