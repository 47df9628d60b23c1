"""What is written to Consul is read back the same, and the same value is always the same text."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as some

from orchestrator.clients.consul.codec import decode, encode
from orchestrator.clients.consul.http import endpoint
from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.history import HistoryEntry
from orchestrator.model.lsn import Fork, Lsn, Position
from orchestrator.model.snapshot import (
    Announcement,
    Member,
    NodeStatus,
    Report,
    Role,
    Switchover,
    SyncRecord,
)

names = some.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=63)
numbers = some.integers(0, 2**63)
lsns = some.builds(Lsn, some.integers(0, 2**64 - 1))
positions = some.builds(Position, some.integers(1, 2**31), lsns)
forks = some.lists(some.builds(Fork, some.integers(1, 2**31), lsns), max_size=4).map(tuple)
plain = some.one_of(some.booleans(), some.integers(-(2**53), 2**53), some.text(max_size=20))
records = some.builds(
    SyncRecord, numbers, names, some.integers(0, 7), some.frozensets(names, max_size=5), names
)
values = some.one_of(
    records,
    some.builds(Announcement, numbers, names, names, some.integers(1, 65535), some.integers(1, 99), forks),
    some.builds(Report, names, numbers, positions, some.booleans(), some.booleans(), some.integers(-9, 9)),
    some.builds(
        Member, names, names, some.none() | names, names, options=some.dictionaries(names, plain, max_size=4)
    ),
    some.builds(Switchover, numbers, names, some.none() | positions),
    some.builds(
        NodeStatus, names, names, some.sampled_from(Role), some.none() | positions, plan=some.just(("a", "b"))
    ),
    some.builds(
        HistoryEntry,
        some.floats(0, 2e9),
        names,
        names,
        some.text(),
        duration_s=some.none() | some.floats(0, 9),
    ),
)


@given(values)
def test_what_is_written_is_read_back(value):
    assert decode(type(value), encode(value).encode(), "key") == value


@given(some.lists(names, min_size=2, max_size=6, unique=True))
def test_the_order_in_which_a_set_was_made_does_not_show(members):
    one = SyncRecord(1, "a", 1, frozenset(members))
    other = SyncRecord(1, "a", 1, frozenset(reversed(members)))
    assert encode(one) == encode(other)


def test_fields_of_a_newer_version_are_ignored():
    assert decode(Switchover, b'{"term": 3, "target": "n2", "colour": "blue"}', "key") == Switchover(3, "n2")


@pytest.mark.parametrize("text", [b"", b"nonsense", b"{}", b'{"term": "x", "target": 1}', b"\xff"])
def test_what_cannot_be_read_is_not_known(text):
    with pytest.raises(ConsulUnavailable, match="cluster/switchover"):
        decode(Switchover, text, "cluster/switchover")


def test_an_ipv6_address_has_brackets_before_a_port():
    assert endpoint("127.0.0.1", 80) == "127.0.0.1:80"
    assert endpoint("fd00::1", 80) == "[fd00::1]:80"
