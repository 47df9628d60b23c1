from __future__ import annotations

from demo.writer import Acknowledged, Journal, acknowledged_by_two, check


def write(name, host_ip, asked_s, answered_s=None):
    return Acknowledged(name, host_ip, asked_s, answered_s or asked_s + 0.01)


class Tenants:
    def __init__(self, *names):
        self._names = names

    def items(self, path, **query):
        assert (path, query) == ("/tenants", {"_include": "name"})
        return ({"name": name} for name in self._names)


def test_a_write_that_is_gone_is_lost():
    journal = Journal([write("a", "n1", 1), write("b", "n1", 2)], unanswered=["c"])
    verdict = check(Tenants("a", "default_tenant"), [journal])
    assert (verdict.acknowledged, verdict.present, verdict.lost) == (2, 1, ("b",))


def test_a_write_that_nobody_confirmed_may_be_there_or_not():
    journal = Journal([write("a", "n1", 1)], unanswered=["c"])
    assert check(Tenants("a"), [journal]) == check(Tenants("a", "c"), [journal])


def test_the_longest_gap_is_the_interruption():
    journal = Journal(
        [write("a", "n1", 1), write("b", "n1", 1.1), write("c", "n2", 3), write("d", "n2", 3.1)]
    )
    gap = journal.interruption()
    assert (gap.before.name, gap.after.name) == ("b", "c")
    assert journal.interruption(since_s=3.05).after.name == "d"
    assert journal.first_after(1.05).name == "b"
    assert journal.first_after(1.05, not_by="n1").name == "c"
    assert Journal().interruption() is None


def test_a_change_of_leader_is_no_double_acknowledgement():
    journal = Journal([write("a", "n1", 1), write("b", "n2", 2), write("c", "n2", 3)])
    assert acknowledged_by_two([journal], since_s=0) == 0


def test_an_old_leader_that_goes_on_acknowledging_is_found():
    cluster = Journal([write("a", "n1", 1), write("b", "n2", 2), write("c", "n2", 4)])
    old = Journal([write("x", "n1", 1.5), write("y", "n1", 3)])
    assert acknowledged_by_two([cluster, old], since_s=0) == 1
    assert acknowledged_by_two([cluster, old], since_s=3.5) == 0


def test_a_write_on_its_way_during_the_change_is_no_double_acknowledgement():
    journal = Journal([write("a", "n1", 1.9, 2.5), write("b", "n2", 2, 2.1)])
    assert acknowledged_by_two([journal], since_s=0) == 0
