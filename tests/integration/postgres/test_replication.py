"""Streaming: who gets in, whom a commit waits for, detaching, slots."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psycopg2
import pytest

from orchestrator.clients.postgres import Postgres
from orchestrator.clients.postgres.upstream import conninfo
from orchestrator.formation import pki
from orchestrator.model.errors import Unfinished
from orchestrator.model.snapshot import SyncSetting
from tests.support.postgres_nodes import PostgresNode, caught_up, facts, write
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

BOTH = SyncSetting(1, frozenset({"n2", "n3"}))


@contextmanager
def writing(node: PostgresNode, what: str) -> Iterator[threading.Event]:
    """Write in the background; the event is set when the write is acknowledged."""
    acknowledged, connection = threading.Event(), node.connect()

    def run() -> None:
        try:
            connection.cursor().execute("INSERT INTO fact (what) VALUES (%s)", (what,))
            acknowledged.set()
        except psycopg2.Error:
            pass  # The test has stopped the server: then nothing is acknowledged.

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield acknowledged
    finally:
        if thread.is_alive():
            node.postgres.kill()
        thread.join(10)
        connection.close()


def waits_for_standby(node: PostgresNode) -> bool:
    """Whether a commit stands still until a standby confirms it."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    return bool(node.postgres._connection.query(sql, timeout_s=5)[0][0])


def connect_for_replication(node: PostgresNode, leader: PostgresNode, **changed: str) -> Any:
    parameters = psycopg2.extensions.parse_dsn(conninfo(node.config, leader.upstream, dbname="postgres"))
    return psycopg2.connect(**{**parameters, **changed})


def test_a_replica_streams_with_its_certificate_and_nobody_else_gets_in(nodes, tmp_path):
    leader = nodes.leader()
    replica = nodes.replica("n2", leader)
    write(leader, "hello")
    caught_up(replica, leader)
    assert facts(replica) == ["hello"]

    in_use = (
        "SELECT bool_and(ssl AND client_dn = '/CN=n2') FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)"
    )
    assert leader.postgres._connection.query(in_use, timeout_s=5) == [(True,)]
    connect_for_replication(replica, leader).close()
    with pytest.raises(psycopg2.OperationalError, match="no encryption"):
        connect_for_replication(replica, leader, sslmode="disable")
    with pytest.raises(psycopg2.OperationalError, match="client certificate"):
        connect_for_replication(replica, leader, sslcert="", sslkey="", sslmode="require")
    with pytest.raises(psycopg2.OperationalError, match="no pg_hba"):
        connect_for_replication(replica, leader, user="cloudify", dbname="cloudify")
    stranger = a_stranger(nodes, tmp_path)
    with pytest.raises(psycopg2.OperationalError, match="unknown ca"):
        connect_for_replication(replica, leader, **stranger)


def a_stranger(nodes: Any, folder: Path) -> dict[str, str]:
    """The certificate of another cluster's node with the same name."""
    config = nodes.config("n2").model_copy(
        update={"paths": nodes.config("n2").paths.model_copy(update={"etc": folder})}
    )
    config.paths.ssl.mkdir(parents=True)
    pki.ensure_ca(config.paths.ssl)
    pki.issue(config, "n2")
    return {"sslcert": str(config.paths.ssl / "node.pem"), "sslkey": str(config.paths.ssl / "node.key")}


def test_a_removed_member_is_refused_although_its_certificate_is_good(nodes):
    leader = nodes.leader()
    outsider = nodes.node("n3")
    connect_for_replication(outsider, leader).close()

    leader.postgres.write_config("n1", ["n1", "n2"])

    with pytest.raises(psycopg2.OperationalError, match="certificate authentication failed"):
        connect_for_replication(outsider, leader)


def test_a_commit_waits_for_one_of_two_and_for_ever_when_both_have_detached(nodes):
    leader = nodes.leader()
    n2, n3 = nodes.replica("n2", leader), nodes.replica("n3", leader)
    leader.postgres.set_standbys(BOTH)
    write(leader, "with both")
    n2.postgres.detach(5)
    write(leader, "with one")
    n3.postgres.detach(5)

    with writing(leader, "with none") as acknowledged:
        eventually(lambda: waits_for_standby(leader), 30, "the commit waits")
        assert not acknowledged.is_set()
        assert "with none" not in facts(n2) + facts(n3)
        n3.postgres.set_upstream(leader.upstream)
        assert acknowledged.wait(10)
    assert n3.postgres.wait_receiving(5)


def test_killing_the_server_acknowledges_no_waiting_commit(nodes):
    leader = nodes.leader()
    leader.postgres.set_standbys(BOTH)

    with writing(leader, "lost") as acknowledged:
        eventually(lambda: waits_for_standby(leader), 30, "the commit waits")
        leader.postgres.kill()
        eventually(leader.is_gone, 30, "it is gone")
        assert not acknowledged.is_set()


def announce_and_confirm(postgres, setting):
    postgres.announce_standbys(setting)
    postgres.confirm_standbys()


@pytest.mark.parametrize("set_standbys", [Postgres.set_standbys, announce_and_confirm])
def test_a_setting_is_in_force_when_the_call_returns(nodes, set_standbys):
    """With nobody streaming, the very next commit has to wait; and when nobody is waited for, none does."""
    leader = nodes.leader()
    for round_ in range(5):
        set_standbys(leader.postgres, BOTH)
        assert leader.postgres.read().setting == BOTH
        with writing(leader, f"waits {round_}") as acknowledged:
            eventually(lambda: waits_for_standby(leader) or acknowledged.is_set(), 30, "the commit waits")
            assert not acknowledged.is_set()
            leader.postgres.set_standbys(SyncSetting())
            assert acknowledged.wait(10)
        assert leader.postgres.read().setting == SyncSetting()
        write(leader, f"does not wait {round_}")


def test_every_walsender_goes_by_the_new_number(nodes):
    leader = nodes.leader()
    nodes.replica("n2", leader)
    n3 = nodes.replica("n3", leader)
    leader.postgres.set_standbys(BOTH)
    n3.postgres.detach(5)

    leader.postgres.set_standbys(SyncSetting(2, BOTH.members))

    with writing(leader, "needs two") as acknowledged:
        eventually(lambda: waits_for_standby(leader), 30, "the commit waits")
        assert not acknowledged.wait(0.3)
        n3.postgres.set_upstream(leader.upstream)
        assert acknowledged.wait(10)


def test_detaching_outlasts_a_restart_and_works_on_a_stopped_server(nodes):
    leader = nodes.leader()
    n2, n3 = nodes.replica("n2", leader), nodes.replica("n3", leader)
    n2.postgres.detach(5)
    n3.postgres.stop("fast")
    n3.postgres.detach(5)
    write(leader, "unseen")

    n2.postgres.stop("fast")
    for node in (n2, n3):
        node.postgres.start(standby=True)
        node.postgres.final_position()  # It returns once the standby looks for more and finds none.
        assert node.postgres.read().upstream is None
        assert not node.postgres.read().receiving
        assert facts(node) == []


def test_attached_a_position_is_not_final(nodes):
    leader = nodes.leader()
    replica = nodes.replica("n2", leader)
    with pytest.raises(Unfinished, match="attached"):
        replica.postgres.final_position()
    write(leader, "everything")
    caught_up(replica, leader)

    replica.postgres.detach(5)

    assert facts(replica) == ["everything"]
    position, leaders = replica.postgres.final_position(), leader.postgres.final_position()
    assert position.timeline == leaders.timeline == 1
    assert position <= leaders
    assert leader.postgres.forks() == ()


def test_waiting_until_members_have_everything(nodes):
    leader = nodes.leader()
    replica = nodes.replica("n2", leader)
    write(leader, "everything")
    leader.postgres.wait_caught_up(["n2"], 5)
    replica.postgres.detach(5)
    write(leader, "more")
    with pytest.raises(Unfinished, match="n2"):
        leader.postgres.wait_caught_up(["n2"], 0.3)


def test_read_only_refuses_writes_until_it_is_lifted(nodes):
    leader = nodes.leader()
    leader.postgres.set_read_only(read_only=True)
    assert leader.postgres.read().read_only
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        write(leader, "refused")
    leader.postgres.set_read_only(read_only=False)
    write(leader, "accepted")
    assert facts(leader) == ["accepted"]


def test_slots_are_exactly_those_of_the_given_nodes(nodes):
    leader = nodes.leader()
    strange = "Node-4.example"
    leader.postgres.write_config("n1", ["n1", "n2", strange])
    replica = nodes.replica("n2", leader)

    leader.postgres.keep_slots(["n2", strange])
    assert leader.postgres.read().slots == {"n2", strange}
    leader.postgres.keep_slots([strange])  # n2 streams: it is cut off.
    assert leader.postgres.read().slots == {strange}
    leader.postgres.keep_slots(["n2", strange])

    assert replica.postgres.wait_receiving(10)


def test_a_slot_that_still_holds_wal_from_an_earlier_leadership_is_made_anew(nodes):
    leader = nodes.leader()
    replica = nodes.replica("n2", leader)
    replica.postgres.keep_slots(["n1", "n3"])
    assert replica.postgres.read().slots == {"n1", "n3"}
    hold = "SELECT pg_replication_slot_advance('n2', pg_current_wal_lsn())"
    eventually(lambda: "n2" in leader.postgres.read().streams, 30, "n2 streams")
    replica.postgres.detach(5)
    eventually(lambda: not leader.postgres.read().streams, 30, "the slot is free")
    leader.postgres._connection.query(hold, timeout_s=5)
    leader.postgres.stop("fast")

    leader.postgres.start(standby=True)
    assert "n2" not in leader.postgres.read().slots
    leader.postgres.keep_slots(["n2", "n3"])

    assert leader.postgres.read().slots == {"n2", "n3"}
    held = "SELECT count(*) FROM pg_replication_slots WHERE restart_lsn IS NOT NULL"
    assert leader.postgres._connection.query(held, timeout_s=5) == [(0,)]


def test_how_long_detaching_and_setting_take(nodes):
    leader = nodes.leader()
    replica = nodes.replica("n2", leader)
    figures = []
    for _ in range(5):
        began_s = time.perf_counter()
        replica.postgres.detach(5)
        detached_s = time.perf_counter()
        replica.postgres.set_upstream(leader.upstream)
        assert replica.postgres.wait_receiving(5)
        attached_s = time.perf_counter()
        leader.postgres.set_standbys(BOTH)
        leader.postgres.set_standbys(SyncSetting())
        set_s = time.perf_counter()
        figures.append((detached_s - began_s, attached_s - detached_s, (set_s - attached_s) / 2))
    detach_ms, attach_ms, set_ms = (median(column) * 1000 for column in zip(*figures, strict=True))
    print(f"detach {detach_ms:.1f} ms, attach {attach_ms:.1f} ms, set_standbys {set_ms:.1f} ms")  # noqa: T201 - a figure
