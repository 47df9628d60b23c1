"""A disk that hangs, and a majority that is lost for good, on machines with systemd."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.support.waiting import eventually

SOON_S = 60.0
PROBE = "/var/lib/cloudify/disk-probe"
GUARD = "cloudify-lease-guard"
SAID = "The disk hangs"


@contextmanager
def hanging_disk(node):
    """The guard's writes hang: in the place of what it writes to is a pipe that nobody reads."""
    node.run("runuser", "-u", "cfyuser", "--", "sh", "-c", f"mkfifo {PROBE}.pipe && mv {PROBE}.pipe {PROBE}")
    try:
        yield
    finally:
        node.run("sh", "-c", f"exec 3<> {PROBE}; rm {PROBE}; sleep 1")


def main_process(node, service):
    """The process id of a service; 0: none."""
    return node.run(
        "systemctl", "show", "--property=MainPID", "--value", f"cloudify-{service}"
    ).stdout.strip()


def said_by_the_guard(node):
    """Its log, once it has seen that the disk hangs."""
    told = node.run("journalctl", "--unit", GUARD, "--no-pager").stdout
    return told if SAID in told else None


def test_a_leader_whose_disk_hangs_gives_way_and_comes_back_as_a_replica(managers, traffic):
    old = managers.leader()
    consul = main_process(old, "consul")
    with hanging_disk(old):
        told = eventually(lambda: said_by_the_guard(old), SOON_S, "the guard sees it")
        new = traffic.moves_away_from(old)
        assert "could not be killed" not in told
        eventually(lambda: main_process(old, "consul") not in {"0", consul}, SOON_S, "Consul was begun anew")
    assert managers.whole() is new
    traffic.was_kept()


@pytest.fixture
def another_cluster(managers):
    """Nobody else tells this story's cluster: at the end all machines make one anew."""
    yield
    for node in managers.bed:
        node.heal()
        node.start()
        node.run("cfy_manager", "remove", "-f", timeout_s=SOON_S)
    managers.form()
    managers.whole()


def test_a_survivor_becomes_a_cluster_that_the_others_join_as_new_managers(managers, another_cluster):
    left, *lost = sorted(managers.bed, key=lambda node: node is managers.leader())
    names = managers.names_on(left)
    for node in lost:
        node.power()
    eventually(
        lambda: not left.run("cfy_manager", "recover-quorum", "--lose-members", check=False).returncode,
        SOON_S,
        "nobody can be reached any more",
    )
    assert managers.whole(size=1) is left
    assert names <= managers.names_on(left)

    for node in lost:
        node.begin_start()
        node.cut()
        node.wait_until_up()
        node.run("cfy_manager", "remove", "-f", timeout_s=SOON_S)
        node.heal()
        managers.make_member(node, f"{node.name}-again")
    assert managers.whole() is left
    assert all(names <= managers.names_on(node) for node in managers.bed)
