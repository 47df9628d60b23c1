"""A slot tells to which incarnation of the data it belongs: another copy of the data refuses its user."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.model.snapshot import SyncSetting
from tests.support.postgres_nodes import PostgresNode, Team, caught_up, write
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

REFUSAL = 'ERROR:  replication slot "n1_'


def test_a_standby_that_nobody_looks_after_does_not_stream_from_an_upstream_that_was_rebuilt(nodes):
    """By the numbers of their timelines one continues the other, so PostgreSQL itself would let it stream."""
    left_behind, upstream = _left_behind(nodes)
    refused = _refusals(left_behind)

    def has_an_answer() -> bool:
        return _refusals(left_behind) > refused or "n1" in upstream.postgres.read().streams

    eventually(has_an_answer, 30, "it asks for more")

    assert "n1" not in upstream.postgres.read().streams
    assert not left_behind.postgres.read().receiving
    # Its own orchestrator, awake again, learns from the announcement whom it has to ask for what.
    left_behind.postgres.stop("fast")
    left_behind.follow(upstream)


def test_a_rewind_leaves_no_slot_of_what_was_here_before(nodes):
    old = nodes.leader()
    new = nodes.replica("n2", old)
    before = old.postgres.incarnation()
    new.postgres.detach(5)
    write(old, "only here")
    old.postgres.stop("fast")
    _promote(new)

    old.postgres.rewind(new.upstream)
    old.postgres.set_upstream(new.upstream)
    old.postgres.start(standby=True)

    assert old.postgres.incarnation() != before
    assert _slots(old) == set()


def test_a_copy_is_an_incarnation_of_its_own(nodes):
    leader = nodes.leader()
    one, other = nodes.replica("n2", leader), nodes.replica("n3", leader)
    names = {node.postgres.incarnation() for node in (leader, one, other)}
    assert len(names) == 3
    one.postgres.keep_slots(["n1"])
    assert _slots(one) == {f"n1_{one.postgres.incarnation()}"}
    assert one.postgres.read().slots == {"n1"}


def test_data_that_was_never_called_anything_has_slots_as_before(nodes):
    """A cluster that was made by an earlier version goes on with its slots until its data is replaced."""
    leader = nodes.leader()
    nodes.replica("n2", leader)
    assert leader.postgres.incarnation() == ""
    assert _slots(leader) == {"n2", "n3"}


def _left_behind(nodes: Team) -> tuple[PostgresNode, PostgresNode]:
    """n1 streams from n2, and its orchestrator hangs from then on; n2's data becomes a copy of n3's.

    n2 and n3 were promoted from the same parent, so both are on a timeline 2 that begins at the same place.
    """
    parent = nodes.leader()
    upstream, source = nodes.replica("n2", parent), nodes.replica("n3", parent)
    for node in (upstream, source):
        caught_up(node, parent)
        node.postgres.detach(5)
        _promote(node)
    parent.postgres.stop("fast")
    parent.follow(upstream)
    write(upstream, "what only these two know")
    caught_up(parent, upstream)
    for number in range(100):
        write(source, f"something else, number {number}")

    upstream.postgres.stop("fast")
    upstream.postgres.base_backup(source.upstream)
    upstream.postgres.set_upstream(source.upstream)
    upstream.postgres.start(standby=True)
    upstream.postgres.keep_slots(["n1", "n3"])
    return parent, upstream


def _promote(node: PostgresNode) -> None:
    node.postgres.prepare_promotion(SyncSetting())
    node.postgres.promote(10)
    node.postgres.keep_slots({"n1", "n2", "n3"} - {node.name})
    node.postgres.set_read_only(read_only=False)


def _slots(node: PostgresNode) -> set[str]:
    rows = node.postgres._connection.query("SELECT slot_name FROM pg_replication_slots", timeout_s=5)
    return {name for (name,) in rows}


def _refusals(node: PostgresNode) -> int:
    """How often the node's server has been told that it has no slot."""
    logs = Path(node.config.paths.log / "postgres").glob("*.log")
    return sum(log.read_text().count(REFUSAL) for log in logs)
