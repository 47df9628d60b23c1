"""The checker of the cluster's stories finds what it is there to find."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from demo.phases import Moment
from demo.writer import Acknowledged, Journal
from tests.cluster import checker

NODES = [SimpleNamespace(name=f"n{number}", host_ip=f"127.0.0.{number}") for number in (1, 2)]


def entry(kind, node, term, at):
    return {"kind": kind, "node": node, "term": term, "at": at}


HISTORY = [
    entry("started", "n1", 1, 100.0),
    entry("joined", "n2", 1, 101.0),
    entry("announced", "n2", 2, 110.5),
    entry("elected", "n2", 2, 110.0),
]


def usurpations(*writes):
    cluster = SimpleNamespace(bed=NODES)
    moment = Moment(unix_s=100.0, monotonic_s=0.0)
    return list(checker.usurpations(cluster, HISTORY, [Journal(list(writes))], moment))


def losses(promised, **present):
    journal = Journal([Acknowledged(name, "127.0.0.1", 0, 1) for name in promised])
    return list(checker.losses(present, [journal]))


def test_a_write_that_only_one_member_has_is_lost():
    assert not losses(["a"], n1={"a", "b"}, n2={"a", "b"})
    assert losses(["a"], n1={"a"}, n2=set()) == ["1 acknowledged writes are not on n2: a"]


def test_members_that_differ_are_complained_of():
    found = losses([], n1={"b"}, n2=set())
    assert found == ["1 writes are on n1 that are not on all members: b"]


def test_a_history_in_order_is_no_reason_to_complain():
    assert not list(checker.broken_terms(HISTORY))


@pytest.mark.parametrize(
    "wrong",
    [entry("announced", "n1", 2, 111.0), entry("elected", "n1", 2, 111.0), entry("elected", "n1", 1, 120.0)],
)
def test_two_leaders_of_a_term_and_terms_that_do_not_grow_are_found(wrong):
    assert list(checker.broken_terms([*HISTORY, wrong]))


def test_only_the_leader_of_the_moment_may_acknowledge():
    before, after = (5.0, 5.1), (11.0, 11.1)
    assert not usurpations(Acknowledged("a", "127.0.0.1", *before), Acknowledged("b", "127.0.0.2", *after))
    assert usurpations(Acknowledged("a", "127.0.0.2", *before))
    assert usurpations(Acknowledged("b", "127.0.0.1", *after))


def test_a_write_that_was_asked_for_before_the_election_may_be_answered_after_it():
    assert not usurpations(Acknowledged("a", "127.0.0.1", 9.9, 10.2))
