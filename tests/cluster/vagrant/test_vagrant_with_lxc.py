"""``vagrant up`` with LXC ends with a formed cluster; and the exercises of vagrant/README.md."""

from __future__ import annotations

import pytest

from tests.support.waiting import eventually

THREE = ("n1", "n2", "n3")
WHOLE_S = 180.0
SERVICES = "systemctl show --property=Id,MainPID 'cloudify-*.service'"


@pytest.fixture(scope="module")
def said(vagrant):
    """Three machines, and what ``vagrant up`` said."""
    return vagrant.run("up")


def whole(vagrant, asked, names):
    """Wait until these are the members, and well; the leader's name."""
    leaders = []

    def well():
        found = vagrant.members(asked)
        leaders[:] = [name for name, each in found.items() if each["state"] == "leader"]
        checks = [passes for each in found.values() for passes in each["checks"].values()]
        return sorted(found) == sorted(names) and len(leaders) == 1 and all(checks)

    eventually(well, WHOLE_S, f"{', '.join(names)} are well")
    return leaders[0]


def test_it_ends_with_a_formed_cluster_and_says_what_to_try(vagrant, said):
    assert "The cluster is formed. What to try next" in said
    assert whole(vagrant, "n3", THREE) == "n1"


def test_to_provision_again_changes_nothing(vagrant, said):
    whole(vagrant, "n1", THREE)
    before = [vagrant.ssh(name, SERVICES) for name in THREE]
    vagrant.run("provision")
    assert [vagrant.ssh(name, SERVICES) for name in THREE] == before


def test_a_leader_that_is_halted_comes_back_as_a_replica(vagrant, said):
    assert whole(vagrant, "n2", THREE) == "n1"
    vagrant.run("halt", "--force", "n1")
    eventually(lambda: leader(vagrant, "n2") in {"n2", "n3"}, WHOLE_S, "another one leads")
    vagrant.run("up", "n1")
    assert whole(vagrant, "n2", THREE) != "n1"


def test_a_leader_that_is_unplugged_is_healed(vagrant, said):
    old = whole(vagrant, "n2", THREE)
    asked = next(name for name in THREE if name != old)
    vagrant.ssh(old, "sudo ip link set eth1 down")
    eventually(lambda: leader(vagrant, asked) not in {None, old}, WHOLE_S, "another one leads")
    vagrant.ssh(old, "sudo ip link set eth1 up")
    assert whole(vagrant, asked, THREE) != old


def test_a_machine_is_removed_and_made_anew(vagrant, said):
    old = whole(vagrant, "n1", THREE)
    gone = next(name for name in reversed(THREE) if name != old)
    asked = old
    vagrant.ssh(asked, f"sudo cfy cluster nodes remove {gone}")
    vagrant.run("destroy", "--force", gone)
    vagrant.run("up", gone, MEMBER_SUFFIX="-again")
    names = [f"{gone}-again", *(name for name in THREE if name != gone)]
    assert whole(vagrant, asked, names) == old


def leader(vagrant, asked):
    return next((name for name, each in vagrant.members(asked).items() if each["state"] == "leader"), None)
