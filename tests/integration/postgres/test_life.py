"""One server: made, started, read in any state, stopped and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median

import pytest

from orchestrator.clients.postgres.connection import Connection
from orchestrator.clients.postgres.postmaster import Postmaster
from orchestrator.model.errors import DatabaseUnavailable
from orchestrator.model.snapshot import Role
from tests.support.direct_services import family
from tests.support.postgres_nodes import PostgresNode, facts, write
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@contextmanager
def suspended(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue


def server_family(node: PostgresNode) -> list[int]:
    return family(node.services.pid("postgresql"))


def test_initialising_twice_changes_nothing_and_starts_nothing(nodes):
    node = nodes.node("n1")
    node.postgres.initialise()
    node.postgres.write_config("n1", ["n1", "n2"])
    before = (node.config.paths.postgres_etc / "postgresql.conf").read_text()
    created = (node.config.paths.postgres_data / "global" / "pg_control").stat().st_ino

    node.postgres.initialise()

    assert node.postgres.read().role is Role.STOPPED
    assert (node.config.paths.postgres_etc / "postgresql.conf").read_text() == before
    assert (node.config.paths.postgres_data / "global" / "pg_control").stat().st_ino == created
    node.postgres.start(standby=False)
    node.postgres.initialise()
    assert node.execute("SELECT current_user || '@' || current_database()") == [("cloudify@cloudify",)]


def test_what_it_reads_of_a_server_that_runs_hangs_and_is_stopped(nodes):
    node = nodes.leader()
    assert node.postgres.read().role is Role.PRIMARY

    with suspended(server_family(node)):
        began_s = time.monotonic()
        assert node.postgres.read().role is Role.UNREACHABLE
        assert time.monotonic() - began_s < node.config.postgres.connect_timeout_s + 0.5
    eventually(lambda: node.postgres.read().role is Role.PRIMARY, 30, "it answers again")

    node.postgres.stop("fast")
    assert node.postgres.read().role is Role.STOPPED


def test_a_postmaster_that_hangs_is_noticed_although_its_children_answer(nodes):
    node = nodes.leader()
    node.postgres.read()
    node.postgres._connection._max_age_s = 0.0

    with suspended([node.services.pid("postgresql")]):
        assert node.postgres.read().role is Role.UNREACHABLE


def test_reading_is_cheap(nodes):
    node = nodes.leader()
    durations_s = []
    for _ in range(200):
        began_s = time.perf_counter()
        node.postgres.read()
        durations_s.append(time.perf_counter() - began_s)
    print(f"read(): median {median(durations_s) * 1000:.2f} ms, worst {max(durations_s) * 1000:.1f} ms")  # noqa: T201 - a figure
    assert median(durations_s) < 0.02


def test_a_killed_server_comes_back_with_what_was_acknowledged(nodes):
    node = nodes.leader()
    write(node, "before the crash")

    assert node.postgres.kill()
    eventually(node.is_gone, 30, "it is gone")
    assert not node.postgres.kill()
    node.postgres.start(standby=False)

    assert facts(node) == ["before the crash"]


def test_starting_what_runs_is_nothing_and_in_another_role_an_error(nodes):
    node = nodes.leader()
    pid = node.services.pid("postgresql")

    node.postgres.start(standby=False)

    assert node.services.pid("postgresql") == pid
    with pytest.raises(DatabaseUnavailable):
        node.postgres.start(standby=True)


def test_a_suspended_server_is_stopped_all_the_same(nodes, monkeypatch):
    node = nodes.leader()
    monkeypatch.setattr("orchestrator.clients.postgres.server.IMMEDIATE_STOP_TIMEOUT_S", 0.5)

    with suspended(server_family(node)):
        node.postgres.stop("immediate")

    assert node.postgres.read().role is Role.STOPPED
    node.postgres.start(standby=False)
    assert node.postgres.read().role is Role.PRIMARY


def test_a_server_that_does_not_start_says_so_soon(nodes):
    node = nodes.node("n1")
    node.postgres.initialise()
    (node.config.paths.ssl / "postgres" / "node.key").unlink()

    with pytest.raises(DatabaseUnavailable, match="while starting"):
        node.postgres.start(standby=False)


def test_a_strangers_process_is_never_signalled(nodes):
    node = nodes.node("n1")
    node.postgres.initialise()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file = node.config.paths.postgres_data / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n")

        assert Postmaster(node.config.paths.postgres_data).pid() is None
        assert not node.postgres.kill()
        assert stranger.poll() is None
        pid_file.unlink()
    finally:
        stranger.kill()
        stranger.wait(10)


def test_a_query_that_takes_too_long_is_left_alone_by_the_server(nodes):
    """A cancelled wait for a standby would count as acknowledged; so nothing is ever cancelled."""
    node = nodes.leader()
    dsn = node.postgres._connection._dsn
    impatient = Connection(f"{dsn} application_name=impatient")

    with pytest.raises(DatabaseUnavailable, match="in time"):
        impatient.query("SELECT pg_sleep(1.5)", timeout_s=0.2)

    watcher = Connection(dsn)
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'impatient' AND state = 'active'"
    assert watcher.query(count, timeout_s=5) == [(1,)]
    watcher.close()


def test_shutdown_position_is_where_everything_acknowledged_ends(nodes):
    node = nodes.leader()
    with pytest.raises(DatabaseUnavailable):
        node.postgres.shutdown_position()
    write(node, "the last")
    before = node.postgres.final_position()

    node.postgres.stop("fast")

    assert node.postgres.shutdown_position() >= before


def test_settings_for_a_server_that_ends_meanwhile_are_kept_for_its_next_start(nodes):
    node = nodes.leader()
    postmaster = node.services.pid("postgresql")
    file = node.config.paths.postgres_etc / "replication.conf"
    before = file.read_text()
    with ThreadPoolExecutor(1) as pool, suspended([postmaster]):
        setting = pool.submit(node.postgres.set_read_only, read_only=True)
        eventually(lambda: file.read_text() != before, 30, "the setting is written")
        os.kill(postmaster, signal.SIGKILL)
        setting.result(timeout=30)
    eventually(node.is_gone, 30, "it is gone")
    node.postgres.start(standby=False)
    assert node.postgres.read().read_only
