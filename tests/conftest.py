"""What all tests have in common: how several processes share them out (``make test``), and short paths."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

CLUSTERS = ("tests/cluster/", "tests/integration/demo/")
"""Tests with whole nodes. One process runs them all: two clusters at once would wait for each other."""


class ByServers(LoadScopeScheduling):
    """Gives out whole files, for their tests share servers, in the order of their names: clusters first."""

    def _split_scope(self, nodeid: str) -> str:
        return "clusters" if nodeid.startswith(CLUSTERS) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByServers:
    """The clusters take longest: they begin, and what is short fills the gap at the end."""
    config.option.loadscopereorder = False
    return ByServers(config, log)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder like ``tmp_path`` for whoever has sockets in it: their paths have at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="test-") as folder:
        yield Path(folder)
