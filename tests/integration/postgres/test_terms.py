"""The mark that each term leaves in the database: it goes wherever the data goes, and nowhere else."""

from __future__ import annotations

import pytest

from orchestrator.model.lsn import was_led
from orchestrator.model.snapshot import SyncSetting
from tests.support.postgres_nodes import caught_up, write
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def test_a_new_database_bears_no_mark(nodes):
    leader = nodes.leader()
    assert leader.postgres.terms() == ()
    assert leader.postgres.read().position.term == 0


def test_a_mark_is_left_once_also_in_a_database_that_takes_no_writes_and_waits_for_nobody(nodes):
    leader = nodes.leader()
    leader.postgres.set_standbys(SyncSetting(1, frozenset({"n9"})))
    leader.postgres.set_read_only(read_only=True)
    leader.postgres.mark_term(5)
    leader.postgres.mark_term(5)
    assert leader.postgres.terms() == ((5, 1),)
    assert leader.postgres.read().position.term == 5


def test_a_replica_has_the_mark_as_soon_as_it_has_the_data(nodes):
    leader = nodes.leader()
    replica = nodes.replica("n2", leader)
    leader.postgres.mark_term(5)
    write(leader, "in term 5")
    caught_up(replica, leader)
    eventually(lambda: replica.postgres.read().position.term == 5, 30, "the mark is replayed")
    replica.postgres.detach(5)
    assert replica.postgres.final_position().term == 5


def test_two_primaries_with_a_timeline_of_the_same_number_are_told_apart(nodes):
    """Neither PostgreSQL nor pg_rewind can: to them both are on timeline 2, begun at the same place."""
    leader = nodes.leader()
    one, other = nodes.replica("n2", leader), nodes.replica("n3", leader)
    leader.postgres.mark_term(1)
    write(leader, "shared")
    for replica in (one, other):
        caught_up(replica, leader)
        replica.postgres.detach(5)
    for term, replica in ((2, one), (3, other)):
        replica.postgres.prepare_promotion(SyncSetting())
        replica.postgres.promote(10)
        replica.postgres.mark_term(term)

    mine, theirs = one.postgres.read().position, other.postgres.read().position
    assert mine.timeline == theirs.timeline == 2
    assert mine < theirs
    assert one.postgres.terms() == ((2, 2), (1, 1))
    assert was_led(leader.postgres.read().position, other.postgres.terms())
    assert not was_led(mine, other.postgres.terms())
