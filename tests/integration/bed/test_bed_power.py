"""A node can hang, die, lose its power and reboot, and its disk outlives all of that."""

from __future__ import annotations

import threading

import pytest

from tests.cluster.bed import CommandTimedOut
from tests.cluster.bed.node import FROZEN, OFF
from tests.support.waiting import eventually

CONNECT = """
import os, socket, sys
peer = socket.socket()
peer.settimeout(2)
code = peer.connect_ex((sys.argv[1], 22))
print({0: "connected", 111: "refused"}.get(code, "no answer"))
"""


def answer_of(node, asker):
    return asker.run("python3", "-c", CONNECT, node.address).stdout.strip()


@pytest.fixture
def keepsake(n1):
    """A file on the disk of n1, and another one in its memory."""
    n1.write("/root/keepsake", "kept")
    n1.write("/run/keepsake", "kept")
    n1.run("sync")


def assert_began_anew(node):
    assert node.read("/root/keepsake") == "kept"
    assert node.run("test", "-e", "/run/keepsake", check=False).returncode != 0


def test_a_frozen_node_does_nothing_until_it_is_thawed(n1):
    n1.freeze()
    assert n1.state() == FROZEN
    with pytest.raises(CommandTimedOut, match="true took longer than 1 s"):
        n1.run("true", timeout_s=1)
    n1.thaw()
    n1.run("true")


def test_what_was_asked_of_a_frozen_node_is_done_when_it_thaws(n1):
    n1.freeze()
    asked = threading.Thread(target=n1.write, args=("/root/asked", "done"))
    asked.start()
    n1.thaw()
    asked.join()
    assert n1.read("/root/asked") == "done"


def test_a_node_without_power_is_gone_and_its_disk_is_not(n1, n2, keepsake):
    name = n1.read("/etc/machine-id")
    n1.power()
    assert n1.state() == OFF
    assert answer_of(n1, n2) == "no answer"
    n1.start()
    assert_began_anew(n1)
    assert n1.read("/etc/machine-id") == name


def test_a_frozen_node_can_lose_its_power_as_well(n1, keepsake):
    n1.freeze()
    n1.power()
    n1.start()
    assert_began_anew(n1)


def test_the_kernel_of_a_killed_node_refuses_on_its_behalf(n1, n2):
    n1.kill()
    assert answer_of(n1, n2) == "refused"


def test_a_node_reboots(n1, n2, keepsake):
    n1.reboot()
    assert_began_anew(n1)
    assert answer_of(n1, n2) == "connected"


def test_a_node_that_was_shut_down_can_be_started(n1, keepsake):
    n1.stop()
    assert n1.state() == OFF
    n1.start()
    assert_began_anew(n1)


def test_starting_a_node_that_is_up_changes_nothing(n1, keepsake):
    n1.start()
    assert n1.read("/run/keepsake") == "kept"


def test_what_was_started_from_outside_dies_with_the_node(n1):
    n1.run("sh", "-c", "sleep 600 >/dev/null 2>&1 &")
    eventually(lambda: "sleep 600" in n1.run("ps", "-ax").stdout)
    n1.kill()
    n1.start()
    assert "sleep 600" not in n1.run("ps", "-ax").stdout


def test_nodes_are_not_clones(n1, n2):
    for file in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub", "/etc/hostname"):
        assert n1.read(file) != n2.read(file)
