"""A process is ended with what it has started, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from manager.operations.processes import Warden, descendants, end_tree
from tests.support.processes import all_gone, is_there
from tests.support.waiting import eventually

TREE = "sleep 300 & sh -c 'sleep 300; true' & setsid sh -c 'sleep 300; true' & wait"


@pytest.fixture
def started() -> Iterator[ExitStack]:
    """Processes that are gone when the test is over."""
    with ExitStack() as stack:
        yield stack


def _start(started: ExitStack, *command: str, **options: object) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, **options)
    started.callback(process.wait)
    started.callback(process.kill)
    return process


def test_a_tree_ends_as_a_whole_and_its_neighbour_does_not(started: ExitStack) -> None:
    neighbour = _start(started, "sleep", "300")
    top = _start(started, "sh", "-c", TREE)
    tree = eventually(lambda: found if len(found := descendants(top.pid)) >= 5 else None, 10, "the tree")
    assert is_there(top.pid)
    end_tree(top.pid)
    assert top.wait(10) == -signal.SIGKILL
    eventually(lambda: all_gone(list(tree)), 10, "they end")
    assert neighbour.poll() is None


def test_ending_what_is_gone_does_nothing(started: ExitStack) -> None:
    process = _start(started, "true")
    process.wait(10)
    end_tree(process.pid)


GUARDED = """
import os, subprocess, sys
from manager.operations.processes import Warden
script = ["sh", "-c", "sleep 300 & echo ready; wait"]
group = subprocess.Popen(script, process_group=0, stdout=subprocess.PIPE)
group.stdout.readline()
warden = Warden(group.pid)
if "dismiss" in sys.argv:
    warden.dismiss()
    warden.dismiss()
print(group.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("dismissed", [False, True])
def test_a_group_ends_with_whoever_waits_for_it_unless_it_may_live(
    started: ExitStack, dismissed: object
) -> None:
    arguments = ["dismiss"] if dismissed else []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    guard = _start(started, sys.executable, "-c", GUARDED, *arguments, **pipes)
    assert guard.stdout is not None
    group = int(guard.stdout.readline())
    members = [group, *descendants(group)]
    guard.kill()
    guard.wait(10)
    if dismissed:
        assert all(map(is_there, members))
        os.killpg(group, signal.SIGKILL)
    eventually(lambda: all_gone(members), 10, "they end")


def test_a_warden_is_a_process_that_ends_when_it_is_dismissed(started: ExitStack) -> None:
    before = descendants(os.getpid())
    warden = Warden(_start(started, "sleep", "300", process_group=0).pid)
    assert len(descendants(os.getpid()) - before) == 2
    warden.dismiss()
    assert len(descendants(os.getpid()) - before) == 1
