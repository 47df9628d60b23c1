"""Every node has an address and a cable, and frames are lost as a test wants it."""

from __future__ import annotations

import re

import pytest

from tests.support.waiting import eventually

PACKETS = 60
ECHOES = re.compile(r"^Icmp: (.*)$", re.MULTILINE)


def reaches(node, peer):
    return node.run("ping", "-c1", "-W1", peer.name, check=False).returncode == 0


def arrived(node):
    """How many echo requests a node's kernel has got."""
    names, values = (line.split() for line in ECHOES.findall(node.read("/proc/net/snmp")))
    return int(values[names.index("InEchos")])


def test_nodes_reach_each_other_by_name(n1, n2):
    assert reaches(n1, n2)
    assert reaches(n2, n1)


def test_who_stands_beside_the_nodes_reaches_them(bed, n1):
    answer = "import socket, sys; print(socket.create_connection((sys.argv[1], 22), 5).recv(4).decode())"
    assert bed.client("python3", "-c", answer, n1.address).stdout == "SSH-\n"


def test_the_machine_itself_is_not_on_their_network(n1):
    assert n1.run("ip", "-json", "link").stdout.count('"ifname"') == 2
    assert not n1.run("getent", "hosts", "example.com", check=False).stdout


def test_a_pulled_cable_cuts_both_ways_until_it_is_put_in_again(n1, n2):
    n1.cut()
    assert not reaches(n1, n2)
    assert not reaches(n2, n1)
    n1.heal()
    eventually(lambda: reaches(n1, n2), what="a node that asked in vain where the other is asks again")
    assert reaches(n2, n1)


def test_one_way_loses_what_goes_one_way(bed, n1, n2):
    # Once, so that each knows where the other is: to ask for that takes both ways.
    assert reaches(n1, n2)
    assert reaches(n2, n1)
    bed.one_way("n1", "n2")
    before = arrived(n1), arrived(n2)
    assert not reaches(n1, n2)
    assert not reaches(n2, n1)
    assert (arrived(n1), arrived(n2)) == (before[0] + 1, before[1])


def test_two_way_loses_what_goes_either_way(bed, n1, n2):
    assert reaches(n1, n2)
    bed.two_way("n1", "n2")
    before = arrived(n1), arrived(n2)
    assert not reaches(n1, n2)
    assert not reaches(n2, n1)
    assert (arrived(n1), arrived(n2)) == before


def test_only_some_frames_are_lost(bed, n1, n2):
    assert reaches(n1, n2)
    bed.loss("n1", "n2", 50)
    before = arrived(n2)
    n1.run("ping", f"-c{PACKETS}", "-i0.01", "-W1", "n2", check=False)
    assert 0 < arrived(n2) - before < PACKETS


@pytest.mark.parametrize("fault", ["one_way", "two_way"])
def test_everything_heals_at_once(bed, n1, n2, fault):
    getattr(bed, fault)("n1", "n2")
    n2.cut()
    bed.heal_all()
    eventually(lambda: reaches(n1, n2), what="the nodes reach each other")
