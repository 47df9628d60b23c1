"""A new primary, and the ways back for the old one: follow, rewind, rebuild."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from orchestrator.model.errors import DatabaseUnavailable, Diverged
from orchestrator.model.lsn import shares_history
from orchestrator.model.snapshot import Role, SyncSetting
from tests.support.postgres_nodes import PostgresNode, Team, caught_up, facts, write
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def fail_over(nodes: Team) -> tuple[PostgresNode, PostgresNode]:
    """n1 led and wrote something that nobody has; n2 leads now."""
    old = nodes.leader()
    new = nodes.replica("n2", old)
    write(old, "shared")
    caught_up(new, old)
    new.postgres.detach(5)
    write(old, "only on the old primary")
    old.postgres.kill()
    eventually(old.is_gone, 30, "the old primary is gone")
    promote(new)
    write(new, "from the new primary")
    return old, new


def promote(node: PostgresNode) -> None:
    node.postgres.prepare_promotion(SyncSetting())
    node.postgres.promote(10)
    node.postgres.keep_slots({"n1", "n2", "n3"} - {node.name})
    assert node.postgres.read().read_only
    node.postgres.set_read_only(read_only=False)


def test_the_other_replica_follows_without_a_restart(nodes):
    old = nodes.leader()
    new, other = nodes.replica("n2", old), nodes.replica("n3", old)
    write(old, "before")
    caught_up(new, old)
    caught_up(other, old)
    for node in (new, other):
        node.postgres.detach(5)
    old.postgres.kill()
    pid = other.services.pid("postgresql")

    began_s = time.perf_counter()
    new.postgres.promote(10)
    promoted_s = time.perf_counter()
    new.postgres.keep_slots(["n1", "n3"])
    other.postgres.set_upstream(new.upstream)
    assert other.postgres.wait_receiving(10)
    promote_ms, follow_ms = (promoted_s - began_s) * 1000, (time.perf_counter() - promoted_s) * 1000
    print(f"promote {promote_ms:.1f} ms, follow {follow_ms:.1f} ms")  # noqa: T201 - a figure

    write(new, "after")
    caught_up(other, new)
    assert facts(other) == ["before", "after"]
    assert other.services.pid("postgresql") == pid
    assert other.postgres.read().position.timeline == new.postgres.read().position.timeline == 2
    assert [fork.timeline for fork in new.postgres.forks()] == [1]


def test_promoted_it_waits_for_its_standbys_from_the_first_commit_on(nodes):
    old = nodes.leader()
    new = nodes.replica("n2", old)
    new.postgres.detach(5)
    setting = SyncSetting(1, frozenset({"n1", "n3"}))

    new.postgres.prepare_promotion(setting)
    new.postgres.promote(10)

    database = new.postgres.read()
    assert (database.role, database.setting, database.read_only) == (Role.PRIMARY, setting, True)


def test_an_old_primary_with_writes_of_its_own_is_rewound(nodes):
    old, new = fail_over(nodes)
    old.postgres.detach(5)
    old.postgres.start(standby=True)
    position = old.postgres.final_position()
    assert position.timeline == 1
    assert not shares_history(position, 2, new.postgres.forks())

    old.postgres.stop("fast")
    old.postgres.rewind(new.upstream)
    old.postgres.set_upstream(new.upstream)
    old.postgres.start(standby=True)

    assert old.postgres.wait_receiving(10)
    caught_up(old, new)
    assert facts(old) == ["shared", "from the new primary"]


def test_a_crashed_primary_can_be_rewound_as_it_lies(nodes):
    old, new = fail_over(nodes)
    old.postgres.rewind(new.upstream)
    old.postgres.set_upstream(new.upstream)
    old.postgres.start(standby=True)
    caught_up(old, new)
    assert facts(old) == ["shared", "from the new primary"]


def test_a_diverged_node_that_knows_the_newer_history_is_still_on_its_old_timeline(nodes):
    old, new = fail_over(nodes)
    old.postgres.detach(5)
    old.postgres.start(standby=True)
    end = old.postgres.final_position()
    old.postgres.set_upstream(new.upstream)
    fetched = old.config.paths.postgres_data / "pg_wal" / "00000002.history"
    eventually(fetched.exists, 30, "the history of the newer timeline is fetched")

    old.postgres.detach(5)

    assert old.postgres.final_position() == end
    assert end.timeline == 1
    # It would not even start again now; that is told apart from a passing failure.
    old.postgres.stop("fast")
    with pytest.raises(Diverged):
        old.postgres.start(standby=True)
    old.postgres.rewind(new.upstream)
    old.postgres.start(standby=True)
    assert old.postgres.final_position().timeline == 2


def test_a_rewind_that_fails_leaves_a_database_that_does_not_start(nodes):
    leader = nodes.leader()
    stranger = nodes.stranger("n2")
    stranger.postgres.stop("fast")

    with pytest.raises(Diverged):
        stranger.postgres.rewind(leader.upstream)
    with pytest.raises(Diverged):
        stranger.postgres.start(standby=True)

    leader.postgres.keep_slots(["n2"])
    stranger.follow(leader)
    write(leader, "seen by the rebuilt one")
    caught_up(stranger, leader)
    assert facts(stranger) == ["seen by the rebuilt one"]


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_a_database_that_is_gone_is_one_that_a_base_backup_has_to_replace(nodes, left):
    leader = nodes.leader()
    lost = nodes.replica("n2", leader)
    lost.postgres.stop("fast")
    shutil.rmtree(lost.config.paths.postgres_data)
    if left == "an empty folder":
        lost.config.paths.postgres_data.mkdir(mode=0o700)

    for try_it in (lambda: lost.postgres.start(standby=True), lambda: lost.postgres.rewind(leader.upstream)):
        with pytest.raises(Diverged, match="no database"):
            try_it()

    lost.postgres.base_backup(leader.upstream)
    lost.postgres.set_upstream(leader.upstream)
    lost.postgres.start(standby=True)
    write(leader, "seen by the rebuilt one")
    caught_up(lost, leader)


def test_a_source_that_does_not_answer_is_no_divergence(nodes):
    leader = nodes.leader()
    replica = nodes.replica("n2", leader)
    replica.postgres.stop("fast")
    leader.postgres.stop("fast")

    with pytest.raises(DatabaseUnavailable):
        replica.postgres.rewind(leader.upstream)

    replica.postgres.start(standby=True)
    assert replica.postgres.read().role is Role.STANDBY


def test_a_base_backup_that_is_killed_changes_nothing_and_can_be_made_again(nodes):
    leader = nodes.leader()
    replica = nodes.replica("n2", leader)
    replica.postgres.stop("fast")
    folder = replica.config.paths.postgres_data.parent
    errors: list[Exception] = []

    def back_up() -> None:
        try:
            replica.postgres.base_backup(leader.upstream)
        except DatabaseUnavailable as error:
            errors.append(error)

    thread = threading.Thread(target=back_up)
    thread.start()
    eventually(lambda: list(folder.glob("data.new-*/base")), 30, "the backup is being made")
    os.kill(backup_process(), signal.SIGKILL)
    thread.join(20)

    assert errors
    assert replica.config.paths.postgres_data.exists()
    replica.postgres.base_backup(leader.upstream)
    assert (folder / "data.old").exists()
    replica.postgres.start(standby=True)
    assert replica.postgres.wait_receiving(10)
    assert sorted(path.name for path in folder.iterdir()) == ["data"]


def backup_process() -> int:
    """The pg_basebackup that this process has started."""
    for thread in Path("/proc/self/task").iterdir():
        for pid in (thread / "children").read_text().split():
            if Path(f"/proc/{pid}/comm").read_text().strip() == "pg_basebackup":
                return int(pid)
    raise AssertionError("no backup is running")


def test_a_swap_that_was_interrupted_is_finished_by_the_next_start(nodes):
    leader = nodes.leader()
    replica = nodes.replica("n2", leader)
    replica.postgres.stop("fast")
    data = replica.config.paths.postgres_data
    data.rename(data.with_name("data.ready"))
    shutil.copytree(data.with_name("data.ready"), data.with_name("data.old"))

    replica.postgres.start(standby=True)

    assert replica.postgres.wait_receiving(10)
    assert sorted(path.name for path in data.parent.iterdir()) == ["data"]
