"""Mirroring, gathering and sweeping, with real files, SSH, Consul and PostgreSQL."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import pytest

from orchestrator.model.action import AlreadyDone
from orchestrator.model.errors import LeaseLost, StaleTerm, Unfinished
from orchestrator.model.file_actions import GatherFiles, SweepFiles, SyncFiles
from orchestrator.model.files import FilesReport
from tests.integration.files.conftest import contents
from tests.integration.files.conftest import unit as any_unit
from tests.integration.files.trio import Trio, row_of, world

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def surroundings():
    with world() as surroundings:
        yield surroundings


@pytest.fixture
def trio(surroundings, short_path):
    with ExitStack() as stack:
        yield Trio(surroundings, short_path, stack)


def unit(number):
    return any_unit(number, f"snapshot{number}", "snapshots")


def sync(trio, name="n2", **how):
    return trio.do(name, SyncFiles(trio.term, "n1", **how))


def have(trio, number, *names, row=True):
    """A unit on the members named, with its row."""
    for name in names:
        trio.nodes[name].put(unit(number))
    if row:
        trio.name_in_row(unit(number))
    return unit(number)


@contextmanager
def upload_under_way(node, path):
    """An upload of the unit holds its lock."""
    uploads = node.config.paths.uploads
    uploads.mkdir(parents=True, exist_ok=True)
    with (uploads / path[-32:]).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# Mirroring.


def test_a_replica_has_what_the_leader_had_and_says_so(trio):
    have(trio, 1, "n1")
    record = trio.say(complete=True)
    sync(trio)
    assert contents(trio.nodes["n2"].files) == contents(trio.nodes["n1"].files)
    assert trio.reported("n2") == FilesReport(record.term, record.generation)


def test_nothing_is_reported_when_not_everything_came(trio):
    have(trio, 1, "n1")
    trio.say(complete=True)
    trio.nodes["n1"].__exit__()
    with pytest.raises(Exception, match="n1 did not send files"):
        sync(trio)
    assert trio.reported("n2") is None


def test_nothing_is_deleted_before_the_leader_is_complete(trio):
    surplus = have(trio, 1, "n2", row=False)
    trio.say(complete=False)
    sync(trio)
    assert surplus in trio.nodes["n2"].mirror.units()
    trio.say(complete=True)
    sync(trio)
    assert trio.nodes["n2"].mirror.units() == frozenset()


def test_a_replica_keeps_what_its_own_rows_name(trio):
    """The leader has lost its folders, by accident."""
    kept = have(trio, 1, "n2")
    record = trio.say(complete=True)
    with pytest.raises(Unfinished, match="this node's rows name it"):
        sync(trio)
    assert trio.nodes["n2"].mirror.units() == {kept}
    assert trio.reported("n2") == FilesReport(record.term, record.generation)


def test_files_of_a_unit_are_deleted_only_behind_a_complete_leader(trio):
    path = have(trio, 1, "n1", "n2")
    stray = trio.nodes["n2"].files / path / "stray"
    stray.write_text("")
    trio.say(complete=False)
    sync(trio, compare=True)
    assert stray.exists()
    trio.say(complete=True)
    sync(trio, compare=True)
    assert not stray.exists()


def test_a_check_by_content_mends_what_has_rotted(trio):
    path = have(trio, 1, "n1")
    trio.say(complete=True)
    sync(trio)
    file = trio.nodes["n2"].files / path / "blueprint.yaml"
    right, dates = file.read_text(), file.stat()
    file.write_text(right[::-1])
    os.utime(file, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    sync(trio, compare=True)
    assert file.read_text() != right
    sync(trio, compare=True, by_content=True)
    assert file.read_text() == right


def test_nobody_mirrors_a_leader_of_another_term(trio):
    have(trio, 1, "n1")
    trio.say(complete=True)
    with pytest.raises(StaleTerm):
        trio.do("n2", SyncFiles(trio.term - 1, "n1"))
    trio.consul.release_lease(trio.session)
    with pytest.raises(StaleTerm):
        sync(trio)
    assert trio.nodes["n2"].mirror.units() == frozenset()


def test_nobody_mirrors_before_the_leader_of_the_term_has_spoken(trio):
    trio.say(complete=True)
    trio.consul.release_lease(trio.session)
    trio.session = trio.lead("n1")
    with pytest.raises(StaleTerm, match="has not said yet"):
        sync(trio)


# Gathering.


def test_a_new_leader_fetches_what_it_lacks_and_only_then_is_complete(trio):
    have(trio, 1, "n1")
    from_two, from_three = have(trio, 2, "n2"), have(trio, 3, "n3")
    have(trio, 4, "n3", row=False)
    trio.do("n1", GatherFiles(trio.term))
    assert trio.nodes["n1"].mirror.units() == {unit(1), from_two, from_three}
    assert (trio.record.complete, trio.record.missing) == (True, 0)
    assert trio.history() == [
        ("files_complete", "n1 has all files of its rows; fetched 1 from n2, 1 from n3")
    ]


def test_what_nobody_has_is_told_once_and_keeps_everybody_from_deleting(trio):
    lost = have(trio, 1)
    for _ in range(2):
        with pytest.raises(Unfinished, match="no member that can be reached has"):
            trio.do("n1", GatherFiles(trio.term))
    assert (trio.record.complete, trio.record.missing) == (False, 1)
    assert [kind for kind, _ in trio.history()] == ["files_missing"]
    trio.nodes["n3"].put(lost)
    trio.do("n1", GatherFiles(trio.term))
    assert (trio.record.complete, trio.record.missing) == (True, 0)


def test_a_member_that_is_down_does_not_keep_the_others_from_helping(trio):
    wanted = have(trio, 1, "n3")
    trio.nodes["n2"].__exit__()
    trio.do("n1", GatherFiles(trio.term))
    assert wanted in trio.nodes["n1"].mirror.units()


def test_who_leads_no_more_gathers_and_sweeps_nothing(trio):
    term = trio.term
    orphan = have(trio, 1, "n1", row=False)
    trio.consul.release_lease(trio.session)
    for action in (GatherFiles(term), SweepFiles(term)):
        with pytest.raises(LeaseLost):
            trio.do("n1", action)
    assert trio.record is None
    assert trio.nodes["n1"].mirror.units() == {orphan}


# Sweeping.


def test_orphans_are_swept_on_the_leader_and_then_everywhere(trio):
    kept = have(trio, 1, "n1", "n2")
    have(trio, 2, "n1", "n2", row=False)
    before = trio.say(complete=True)
    trio.do("n1", SweepFiles(trio.term))
    assert trio.nodes["n1"].mirror.units() == {kept}
    assert trio.record == replace(before, generation=before.generation + 1)
    assert trio.history() == [("files_swept", "n1 removed 1 units that no row names")]
    sync(trio)
    assert trio.nodes["n2"].mirror.units() == {kept}


def test_an_upload_that_is_under_way_is_left_alone(trio):
    path = have(trio, 1, "n1", row=False)
    trio.say(complete=True)
    with upload_under_way(trio.nodes["n1"], path):
        assert isinstance(trio.do("n1", SweepFiles(trio.term)), AlreadyDone)
    assert trio.nodes["n1"].mirror.units() == {path}
    trio.do("n1", SweepFiles(trio.term))
    assert trio.nodes["n1"].mirror.units() == frozenset()


def test_a_row_that_is_being_committed_is_waited_for(trio):
    """Its client may have died, and its upload's lock with it; the row may be seen in a moment."""
    path = have(trio, 1, "n1", row=False)
    trio.say(complete=True)
    with closing(trio.connect()) as connection:
        with connection.cursor() as cursor:
            cursor.execute(*row_of(path))
            with pytest.raises(Unfinished, match="has not ended yet"):
                trio.do("n1", SweepFiles(trio.term))
        connection.commit()
    trio.do("n1", SweepFiles(trio.term))
    assert trio.nodes["n1"].mirror.units() == {path}


def test_a_leader_that_has_lost_files_is_complete_no_more(trio):
    lost = have(trio, 1, "n2")
    trio.say(complete=True)
    trio.do("n1", SweepFiles(trio.term))
    assert (trio.record.complete, trio.record.missing) == (False, 1)
    trio.do("n1", GatherFiles(trio.term))
    assert trio.record.complete
    assert trio.nodes["n1"].mirror.units() == {lost}


def test_without_the_list_of_the_rows_nothing_is_removed(trio):
    have(trio, 1, "n1", row=False)
    trio.say(complete=True)
    trio.sql("ALTER VIEW replicated_files RENAME TO hidden")
    try:
        with pytest.raises(Unfinished, match="does not say yet which files"):
            trio.do("n1", SweepFiles(trio.term))
    finally:
        trio.sql("ALTER VIEW hidden RENAME TO replicated_files")
    assert len(trio.nodes["n1"].mirror.units()) == 1


def test_a_row_that_names_no_unit_stops_the_sweep(trio):
    have(trio, 1, "n1", row=False)
    trio.sql(
        "INSERT INTO snapshots (id, tenant_id, status, storage_id) "
        "SELECT 'x', id, 'created', '../..' FROM tenants WHERE name = 'default_tenant'"
    )
    trio.say(complete=True)
    with pytest.raises(Unfinished, match="no path of a unit"):
        trio.do("n1", SweepFiles(trio.term))
    assert len(trio.nodes["n1"].mirror.units()) == 1
