"""While Consul is gone, the members' word stands for the lease; and a word that was given is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide import decide
from orchestrator.decide.leadership import serves
from orchestrator.decide.situation import Situation, situation_of
from orchestrator.model.office import Office
from orchestrator.model.snapshot import Lease, Member, Promise, Role, SyncRecord, Word
from tests.unit.decide.pictures import FREE, INDEX, SPEC, TERM, leader, primary, replica

NOW_S = leader().taken_at_s
GIVEN = Word(TERM, NOW_S + 1)


def without_consul(**changes):
    return replace(leader(), **{"cluster": None, "confirmed_until_s": NOW_S + 1, **changes})


def unpromised(**changes):
    """A member that sees the lease free, and has let go of nobody yet."""
    return replica(**{"cluster": {"lease": FREE}, "promise": Promise(round=40), **changes})


def office(k, on_record, members):
    return Office(TERM, INDEX, k, frozenset(on_record), {name: Member(name, name) for name in members})


def test_a_leader_that_the_members_confirm_goes_on_and_changes_nothing():
    plan = decide(without_consul(), SPEC)
    assert (plan.situation, plan.actions, plan.serves) == (Situation.CONFIRMED, (), True)


def test_without_their_word_it_is_cut_off():
    assert situation_of(without_consul(confirmed_until_s=NOW_S), SPEC) is Situation.CUT_OFF
    assert not serves(without_consul(confirmed_until_s=NOW_S))


@pytest.mark.parametrize("database", [primary(read_only=True), primary(role=Role.STOPPED)])
def test_their_word_does_not_make_a_leader_of_whom_has_no_open_database(database):
    assert not serves(without_consul(database=database))


@pytest.mark.parametrize(
    ("lease", "record", "goes_on"),
    [
        (FREE, leader().cluster.record, True),
        (FREE, SyncRecord(TERM - 1, "n1", 0, frozenset()), False),
        (FREE, SyncRecord(TERM, "n2", 0, frozenset()), False),
        (Lease("n2", "s2", TERM + 1, INDEX + 5), leader().cluster.record, False),
    ],
    ids=["nobody has led since", "somebody has", "it was somebody else", "somebody leads"],
)
def test_when_consul_is_back_it_goes_on_until_it_has_its_lease_again(lease, record, goes_on):
    snapshot = leader(cluster={"lease": lease, "record": record}, confirmed_until_s=NOW_S + 1)
    assert serves(snapshot) == goes_on


def test_a_lease_that_is_free_is_no_reason_to_go_on_for_one_that_nobody_confirmed():
    assert not serves(leader(cluster={"lease": FREE}))


def test_who_has_given_its_word_takes_no_part_in_a_round():
    plan = decide(unpromised(word=GIVEN), SPEC)
    assert (plan.situation, plan.actions) == (Situation.BOUND, ())


@pytest.mark.parametrize(
    "word",
    [Word(TERM, NOW_S), Word(TERM - 1, NOW_S + 1), Word()],
    ids=["it is over", "another leader has it", "there is none"],
)
def test_a_word_binds_until_its_date_and_in_its_term_only(word):
    assert situation_of(unpromised(word=word), SPEC) is Situation.LEADERLESS


def test_the_leader_itself_takes_its_lease_back_whatever_it_once_said():
    assert situation_of(leader(cluster={"lease": FREE}, word=GIVEN), SPEC) is Situation.LEADERLESS


def test_a_word_does_not_keep_a_member_from_following_the_next_leader():
    assert situation_of(replica(word=GIVEN), SPEC) is Situation.FOLLOWING


@pytest.mark.parametrize(
    ("k", "on_record", "members", "say_yes", "enough"),
    [
        (1, "n2 n3", "n2 n3", "n2 n3", True),
        (1, "n2 n3", "n2 n3", "n2", True),  # Without n2 there are not two reports of those on record.
        (1, "n2", "n2 n3", "n3", False),
        (1, "n2 n3", "n2 n3", "", False),
        (0, "", "n2 n3", "n3", True),
        (0, "", "n2 n3", "", False),
        (2, "n2 n3 n4 n5", "n2 n3 n4 n5", "n2 n3", True),
        (2, "n2 n3 n4 n5", "n2 n3 n4 n5", "n2", False),
        (2, "n2 n3", "n2 n3 n4 n5", "n2 n4", False),
        (1, "n2", "n2 n3 n4 n5", "n2", False),
        (1, "n2", "n2 n3 n4", "n2", False),
        (0, "", "", "", True),
    ],
)
def test_so_many_have_to_say_so_that_nobody_can_be_elected_without_them(
    k, on_record, members, say_yes, enough
):
    known = office(k, on_record.split(), members.split())
    assert known.is_confirmed_by(frozenset(say_yes.split())) == enough
