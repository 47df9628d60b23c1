"""The rules about the database and the services: each applies when it should, and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide import postgres, services
from orchestrator.model.action import (
    FirstRecord,
    Follow,
    KeepSlots,
    OpenWrites,
    Promote,
    Revive,
    SetStandbys,
    StartPrimary,
    StartServices,
    StopEverything,
    StopServices,
    WriteRecord,
)
from orchestrator.model.snapshot import (
    Database,
    MembershipState,
    Promise,
    Role,
    Stream,
    SyncRecord,
    SyncSetting,
)
from orchestrator.model.spec import Options, Spec
from tests.unit.decide.pictures import (
    INDEX,
    NAMES,
    RECORD,
    SPEC,
    TERM,
    detached,
    leader,
    primary,
    replica,
    standby,
    view,
    voter,
)

STOPPED, HUNG = Database(), Database(Role.UNREACHABLE)
OTHERS = frozenset({"n2", "n3"})
OLD_RECORD = SyncRecord(TERM - 1, "n2", 1, frozenset({"n1", "n3"}))
ASYNC = Spec("n1", Options(sync_mode="async"))


def streams(*names):
    return {name: Stream(name, streaming=True, flushed=primary().position.lsn) for name in names}


def test_revive_what_is_stopped():
    assert postgres.revive(voter(database=STOPPED), SPEC) == Revive()
    assert postgres.revive(voter(), SPEC) is None
    assert postgres.revive(voter(database=HUNG), SPEC) is None


@pytest.mark.parametrize(
    ("changes", "promotes"),
    [
        ({"database": detached()}, True),
        ({"database": STOPPED, "cluster": {"announcement": None}}, True),
        ({"database": STOPPED}, False),  # It has been the primary in this term: it is started again.
        ({}, False),
        ({"database": HUNG}, False),
    ],
)
def test_promote(changes, promotes):
    assert (postgres.promote(leader(**changes), SPEC) is not None) == promotes


def test_a_new_primary_waits_for_those_who_live():
    half_alive = {"health": {"n2": frozenset({"heartbeat"})}, "record": OLD_RECORD}
    wanted = Promote(TERM, SyncSetting(1, frozenset({"n2"})), "n2")
    assert postgres.promote(leader(database=detached(), cluster=half_alive), SPEC) == wanted


def test_with_nobody_alive_it_waits_for_anybody():
    snapshot = leader(database=detached(), cluster={"health": {}})
    assert postgres.promote(snapshot, SPEC) == Promote(TERM, SyncSetting(1, OTHERS), None)


def test_alone_in_the_world_it_waits_for_nobody():
    only = {"members": {"n1": view().members["n1"]}}
    assert postgres.promote(leader(database=detached(), cluster=only), SPEC).setting == SyncSetting()


def test_start_primary():
    assert postgres.start_primary(leader(database=STOPPED), SPEC) == StartPrimary(TERM)
    assert postgres.start_primary(leader(), SPEC) is None
    assert postgres.start_primary(leader(database=STOPPED, cluster={"announcement": None}), SPEC) is None


def test_a_manager_alone_starts_its_own_database():
    alone = replace(leader(database=STOPPED), membership=MembershipState.ALONE, cluster=None)
    assert postgres.start_alone(alone, SPEC) == StartPrimary(None)
    assert postgres.start_alone(replace(alone, database=primary()), SPEC) is None
    assert postgres.start_alone(replace(alone, membership=MembershipState.JOINING), SPEC) is None


@pytest.mark.parametrize(
    ("streaming", "absent_s", "setting"),
    [
        (("n2", "n3"), {}, SyncSetting(1, OTHERS)),
        (("n2",), {"n3": 4.0}, SyncSetting(1, OTHERS)),
        (("n2",), {"n3": 5.0}, SyncSetting(1, frozenset({"n2"}))),
        ((), {"n2": 9.0, "n3": 9.0}, SyncSetting(1, OTHERS)),
        ((), {"n2": 9.0, "n3": 10.0}, SyncSetting(1, OTHERS)),  # Narrowing could not succeed: all stay.
        ((), {"n2": 10.0, "n3": 10.0}, SyncSetting(0, frozenset())),
        (("n2", "n3", "n9"), {}, SyncSetting(1, OTHERS)),  # n9 is no member.
    ],
)
def test_whom_a_commit_should_wait_for(streaming, absent_s, setting):
    snapshot = leader(database=primary(streams=streams(*streaming)), absent_s=absent_s)
    wanted = postgres.wanted_setting(snapshot, SPEC)
    assert wanted == setting


def test_asynchronously_it_waits_for_nobody():
    assert postgres.wanted_setting(leader(), ASYNC) == SyncSetting()


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({"record": RECORD}, None),
        ({"record": None}, None),
        ({"record": OLD_RECORD}, FirstRecord(TERM, OTHERS)),
        ({"record": OLD_RECORD, "members": {"n1": view().members["n1"]}}, "alone"),
    ],
)
def test_first_record(changes, action):
    alone = WriteRecord(SyncRecord(TERM, "n1", 0, frozenset()), OLD_RECORD)
    assert postgres.first_record(leader(cluster=changes), SPEC) == (alone if action == "alone" else action)


def test_deserted_for_long_a_new_leader_goes_on_alone():
    deserted = leader(cluster={"record": OLD_RECORD, "lease_seen_s": 10.0}, database=primary(streams={}))
    assert postgres.first_record(deserted, SPEC).record.k == 0
    patient = replace(deserted, cluster=replace(deserted.cluster, lease_seen_s=9.0))
    assert postgres.first_record(patient, SPEC) == FirstRecord(TERM, OTHERS)


@pytest.mark.parametrize(
    ("record", "setting", "action"),
    [
        (RECORD, SyncSetting(1, OTHERS), None),
        (OLD_RECORD, SyncSetting(1, OTHERS), None),  # Not its own: first_record comes first.
        (RECORD, SyncSetting(), SetStandbys(TERM, SyncSetting(1, OTHERS), RECORD)),
        (
            replace(RECORD, term=TERM - 1),
            SyncSetting(1, OTHERS),
            WriteRecord(RECORD, replace(RECORD, term=TERM - 1)),
        ),
    ],
)
def test_keep_record(record, setting, action):
    snapshot = leader(cluster={"record": record}, database=primary(setting=setting))
    assert postgres.keep_record(snapshot, SPEC) == action


def test_only_a_primary_keeps_a_record():
    assert postgres.keep_record(leader(database=standby()), SPEC) is None


@pytest.mark.parametrize(
    ("database", "opens"),
    [(primary(read_only=True), True), (detached(), True), (primary(), False), (STOPPED, False)],
)
def test_open_writes(database, opens):
    assert postgres.open_writes(leader(database=database), SPEC) == (OpenWrites(TERM) if opens else None)


def test_keep_slots():
    assert postgres.keep_slots(leader(), SPEC) is None
    assert postgres.keep_slots(leader(database=primary(slots=frozenset({"n2", "n9"}))), SPEC) == KeepSlots(
        OTHERS
    )
    assert postgres.keep_slots(replica(database=standby(slots=frozenset())), SPEC) == KeepSlots(
        NAMES - {"n2"}
    )
    assert postgres.keep_slots(leader(database=STOPPED), SPEC) is None


FOLLOW = Follow("n1", "10.0.0.1", 5432, TERM, INDEX, 1, (), ((TERM, 1),))


@pytest.mark.parametrize(
    ("changes", "follows"),
    [
        ({"database": detached()}, True),
        ({"database": STOPPED}, True),
        ({"database": standby(upstream="n3")}, True),
        ({}, False),
        ({"database": standby(receiving=False), "not_receiving_s": 2.0}, False),
        ({"database": standby(receiving=False), "not_receiving_s": 3.0}, True),
        ({"database": detached(), "cluster": {"announcement": None}}, False),
        ({"database": detached(), "promise": Promise(round=INDEX)}, False),  # A stale read.
    ],
)
def test_follow(changes, follows):
    assert postgres.follow(replica(**changes), SPEC) == (FOLLOW if follows else None)


def test_nobody_follows_an_older_announcement_or_itself():
    older = replace(view().announcement, term=TERM - 1)
    assert postgres.follow(replica(database=detached(), cluster={"announcement": older}), SPEC) is None
    assert postgres.follow(leader(database=detached()), SPEC) is None


def test_a_removed_node_stops_everything():
    assert postgres.stop_everything(replica(), SPEC) == StopEverything()
    assert postgres.stop_everything(replica(database=STOPPED, running=frozenset({"broker"})), SPEC)
    assert postgres.stop_everything(replica(database=STOPPED, running=frozenset({"redis"})), SPEC) is None


def test_services_of_a_leader():
    idle = leader(running=frozenset())
    assert services.start_leader_services(idle, SPEC) == StartServices(frozenset({"broker", "mgmtworker"}))
    assert services.start_leader_services(leader(), SPEC) is None
    not_yet = replace(idle, database=primary(read_only=True))
    assert services.start_leader_services(not_yet, SPEC) is None
    left_over = replica(running=frozenset({"broker", "redis"}))
    assert services.stop_leader_services(left_over, SPEC) == StopServices(frozenset({"broker"}))
    assert services.stop_leader_services(replica(), SPEC) is None
