from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.clients.postgres.names import format_standby_names, parse_standby_names, slot_name
from orchestrator.config import NODE_NAME
from orchestrator.model.snapshot import SyncSetting

names = st.from_regex(NODE_NAME, fullmatch=True)
incarnations = st.just("") | st.from_regex("[0-9a-f]{8}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("", SyncSetting()),
        ('ANY 1 ("n2", "n3")', SyncSetting(1, frozenset({"n2", "n3"}))),
        ("any 2 (n2,n3)", SyncSetting(2, frozenset({"n2", "n3"}))),
        ("FIRST 1 (n2, n3)", SyncSetting(1, frozenset({"n2", "n3"}))),
        ("2 (n2, n3)", SyncSetting(2, frozenset({"n2", "n3"}))),
        ("n2, n3", SyncSetting(1, frozenset({"n2", "n3"}))),
        ('ANY 1 ("a ""quoted"" one")', SyncSetting(1, frozenset({'a "quoted" one'}))),
    ],
)
def test_standby_names_are_read_as_what_they_guarantee(text, setting):
    assert parse_standby_names(text) == setting


def test_nobody_is_waited_for_without_members_or_without_a_number():
    assert format_standby_names(SyncSetting(0, frozenset({"n2"}))) == ""
    assert format_standby_names(SyncSetting(1, frozenset())) == ""


@given(st.frozensets(names, min_size=1), st.integers(1, 9))
def test_what_is_written_is_read_again(members, k):
    setting = SyncSetting(k, members)
    assert parse_standby_names(format_standby_names(setting)) == setting


@given(names, names, incarnations)
def test_different_nodes_have_different_slots_that_postgresql_takes(one, other, incarnation):
    assert re.fullmatch(r"[a-z0-9_]{1,63}", slot_name(one, incarnation))
    assert (slot_name(one, incarnation) == slot_name(other, incarnation)) == (one == other)


@given(names, incarnations, incarnations)
def test_another_incarnation_has_other_slots(node, one, other):
    assert (slot_name(node, one) == slot_name(node, other)) == (one == other)


def test_a_plain_name_is_its_own_slot():
    assert slot_name("n1") == "n1"
    assert slot_name("n1", "00c0ffee") == "n1_00c0ffee"
    assert slot_name("Node-1.example").startswith("node_1_example_")
