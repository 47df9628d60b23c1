"""A switchover: each does beforehand what it can, and the target goes into office in one go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide import decide, postgres
from orchestrator.decide.leadership import let_go
from orchestrator.decide.situation import Situation
from orchestrator.decide.succession import in_office
from orchestrator.model.action import (
    AcquireLease,
    Announce,
    Detach,
    FirstRecord,
    OpenWrites,
    PreparePromotion,
    Promote,
)
from orchestrator.model.snapshot import Database, Member, Promise, Switchover, SyncSetting
from tests.unit.decide.pictures import INDEX, SPEC, TERM, at, detached, primary, replica, standby, view, voter

ASKED = Switchover(TERM, "n2")
RELEASED = Switchover(TERM, "n2", at(100))
OTHERS = frozenset({"n1", "n3"})
WAITING = SyncSetting(1, OTHERS)
NEXT = TERM + 1


def at_release(**changes):
    """What ``n2`` sees when ``n1`` has handed over, ``n2`` being the target if nothing else is said."""
    cluster = {"switchover": RELEASED, "lease_seen_s": 0.1, **changes.pop("cluster", {})}
    return voter(cluster=cluster, **{"database": standby(), "promise": Promise(40), **changes})


def test_the_target_takes_the_lease_and_goes_into_office_in_one_plan():
    plan = decide(at_release(), SPEC)
    assert plan.situation == Situation.HANDING_OVER
    assert [type(action) for action in plan.actions] == [
        AcquireLease,
        Promote,
        Announce,
        FirstRecord,
        OpenWrites,
    ]


def test_what_follows_the_lease_belongs_to_the_term_that_taking_it_makes():
    taken, *others = decide(at_release(), SPEC).actions
    assert taken.round == INDEX
    assert {action.term for action in others} == {NEXT}
    assert others[0] == Promote(NEXT, WAITING, None)


@pytest.mark.parametrize(
    "not_yet",
    [
        at_release(database=standby(position=at(99))),
        at_release(database=Database()),
        at_release(cluster={"switchover": replace(RELEASED, target="n3")}),
    ],
)
def test_who_may_not_take_over_plans_nothing_of_what_follows(not_yet):
    kinds = {type(action) for action in decide(not_yet, SPEC).actions}
    assert not kinds & {AcquireLease, Promote, Announce, FirstRecord, OpenWrites}


def test_who_has_another_history_takes_the_lease_and_looks_again():
    healing = at_release(database=primary(), cluster={"switchover": replace(RELEASED, heals=True)})
    assert [type(action) for action in decide(healing, SPEC).actions] == [AcquireLease]


def test_in_office_only_the_lease_is_another():
    before = at_release()
    after = in_office(before)
    assert (after.cluster.lease.term, after.cluster.lease.holder) == (NEXT, "n2")
    assert replace(after.cluster, lease=before.cluster.lease, lease_seen_s=0.1) == before.cluster


@pytest.mark.parametrize(
    ("snapshot", "lets_go"),
    [
        (at_release(cluster={"switchover": replace(RELEASED, target="n3")}), True),
        (at_release(), False),  # The target need not: it is promoted.
        (at_release(cluster={"switchover": replace(ASKED, target="n3")}), False),  # n1 still leads.
        (at_release(cluster={"switchover": replace(RELEASED, target="n3")}, database=Database()), False),
        (
            at_release(
                cluster={"switchover": replace(RELEASED, target="n3")},
                database=detached(),
                promise=Promise(INDEX),
            ),
            False,
        ),
    ],
)
def test_the_others_let_go_of_a_leader_that_has_handed_over(snapshot, lets_go):
    assert let_go(snapshot, SPEC) == (Detach(INDEX) if lets_go else None)


@pytest.mark.parametrize(
    ("snapshot", "prepares"),
    [
        (replica(cluster={"switchover": ASKED}), True),
        (replica(), False),
        (replica(cluster={"switchover": replace(ASKED, target="n3")}), False),
        (replica(cluster={"switchover": replace(ASKED, term=TERM - 1)}), False),
        (replica(cluster={"switchover": ASKED}, database=Database()), False),
        (replica(cluster={"switchover": ASKED}, database=primary()), False),
        (
            replica(cluster={"switchover": ASKED}, database=standby(read_only=True, setting=WAITING)),
            False,
        ),
        (replica(cluster={"switchover": ASKED}, database=standby(setting=WAITING)), True),
    ],
)
def test_the_target_prepares_its_promotion_once(snapshot, prepares):
    action = PreparePromotion(TERM, WAITING) if prepares else None
    assert postgres.prepare_promotion(snapshot, SPEC) == action


def test_who_took_over_has_all_that_it_waits_for_on_its_first_record():
    assert postgres.first_record(in_office(at_release()), SPEC) == FirstRecord(NEXT, OTHERS, all_of_them=True)


def test_who_is_not_there_is_not_on_it():
    here = {**view().health, "n1": frozenset()}
    first = postgres.first_record(in_office(at_release(cluster={"health": here})), SPEC)
    assert first == FirstRecord(NEXT, frozenset({"n3"}), all_of_them=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"switchover": None},  # An election: the old leader is not well.
        {"switchover": replace(RELEASED, heals=True)},  # The others have another history.
        {"switchover": ASKED},  # The old leader died before it released anything.
        {"members": {name: Member(name, "") for name in ("n1", "n2", "n3", "n4", "n5")}},
    ],
)
def test_in_other_cases_only_those_that_are_the_first_to_have_everything_are_on_it(changes):
    health = dict.fromkeys(changes.get("members", {}), view().health["n1"]) or view().health
    seen = in_office(at_release(cluster={**changes, "health": health}))
    assert not postgres.first_record(seen, SPEC).all_of_them
