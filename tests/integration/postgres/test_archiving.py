"""What a node alone had acknowledged is kept before its data is replaced: as a dump, or as it lay there."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from orchestrator.act import archive as act
from orchestrator.clients.mirror import Mirror
from orchestrator.clients.programs import postgres_bin_dir
from orchestrator.model.action import Follow
from orchestrator.model.errors import DatabaseUnavailable, Unfinished
from orchestrator.model.lsn import Lsn
from orchestrator.record import alone
from orchestrator.record import archive as archives
from tests.support.postgres_nodes import PostgresNode, facts, write

pytestmark = pytest.mark.integration

FOLLOW = Follow("n2", "127.0.0.1", 5432, 5, 50, 1, ((1, Lsn(1)),))
UNIT = f"blueprints/default_tenant/b/{'0' * 32}"


@pytest.fixture
def leader(nodes) -> PostgresNode:
    """It has led alone, since term 4, and is a detached standby by now."""
    leader = nodes.leader()
    write(leader, "only here")
    alone.begin(leader.config, 4)
    leader.postgres.stop("fast")
    leader.postgres.start(standby=True)
    return leader


@pytest.fixture
def clients(leader):
    (leader.config.paths.files / UNIT).mkdir(parents=True)
    (leader.config.paths.files / UNIT / "blueprint.yaml").write_text("a file")
    return SimpleNamespace(
        config=leader.config, me="n1", postgres=leader.postgres, mirror=Mirror(leader.config)
    )


def test_what_is_there_can_be_read_from_the_archive(leader, clients):
    act.archive_by_dump(clients, FOLLOW, "4@0/50")
    (archive,) = archives.all_of(leader.config)
    folder = leader.config.paths.archives / archive.name
    assert (archive.node, archive.term, archive.gave_way_to, archive.units) == ("n1", 4, "n2", 1)
    assert "only here" in dumped(leader, folder / archives.DUMP)
    assert (folder / archives.FILES / UNIT / "blueprint.yaml").read_text() == "a file"


def test_it_is_archived_once(leader, clients):
    act.archive_by_dump(clients, FOLLOW, "4@0/50")
    act.archive_by_dump(clients, FOLLOW, "4@0/50")
    assert len(archives.all_of(leader.config)) == 1


def test_who_was_never_alone_archives_nothing(leader, clients):
    alone.end(leader.config)
    act.archive_by_dump(clients, FOLLOW, "4@0/50")
    assert archives.all_of(leader.config) == []


def test_what_was_cut_short_is_done_again_and_leaves_nothing(leader, clients):
    archives.begin(leader.config)
    act.archive_by_dump(clients, FOLLOW, "4@0/50")
    (archive,) = archives.all_of(leader.config)
    assert [folder.name for folder in leader.config.paths.archives.iterdir()] == [archive.name]


def test_a_database_that_cannot_be_read_is_kept_as_it_is_and_copied_anew(nodes, leader, clients):
    other = nodes.stranger("n2")
    leader.postgres.stop("fast")
    act.replace_and_archive(clients, FOLLOW, other.upstream, alone.read(leader.config))
    (archive,) = archives.all_of(leader.config)
    assert (leader.config.paths.archives / archive.name / archives.DATA / "PG_VERSION").exists()
    assert alone.read(leader.config) is None
    leader.postgres.start(standby=True)
    assert facts(leader) == facts(other)


def test_it_stays_where_it_is_until_its_successor_is_there(nodes, leader, clients):
    """It may be the only one whose report can end an election."""
    other = nodes.stranger("n2")
    leader.postgres.stop("fast")
    other.postgres.stop("fast")
    with pytest.raises(DatabaseUnavailable):
        act.replace_and_archive(clients, FOLLOW, other.upstream, alone.read(leader.config))
    assert archives.all_of(leader.config) == []
    assert alone.read(leader.config) is not None
    leader.postgres.start(standby=True)
    assert facts(leader) == ["only here"]


def test_without_room_nothing_is_given_up(leader, clients, monkeypatch):
    """The database is as it was, and the next try archives it."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives, "sync_file_system", full)
    with pytest.raises(Unfinished, match=r"could not be archived: .*No space left"):
        act.archive_by_dump(clients, FOLLOW, "4@0/50")
    assert archives.all_of(leader.config) == []
    assert alone.read(leader.config) is not None
    assert "only here" in facts(leader)


def dumped(node: PostgresNode, dump) -> str:
    """The dump as SQL."""
    command = [postgres_bin_dir(node.config) / "pg_restore", "--file=-", dump]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
