"""Vagrant with LXC, in a world of its own (``world.py``). Run by ``make vagrant-lxc``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster.bed import cache, host
from tests.cluster.vagrant.world import Vagrant, made_world, remove_cgroups

HERE = Path(__file__).parent
TIMEOUT_S = 1800
FIRST = 1
"""The number of the process that begins a namespace of processes."""


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.vagrant)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def vagrant():
    """Vagrant, with a box and the wheels; what it made is destroyed at the end."""
    if os.getpid() != FIRST:
        pytest.fail("it would leave bridges and mounts on this machine: run it by `make vagrant-lxc`")
    folder = cache.home() / "vagrant"
    host.remove_tree(folder)
    folder.mkdir(parents=True)
    vagrant = Vagrant(folder)
    try:
        made_world(folder)
        vagrant.prepare()
        yield vagrant
    finally:
        vagrant.run("destroy", "--force")
        remove_cgroups()
        host.remove_tree(folder)
