"""Units come from another member over a real SSH daemon and rsync: whole, or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.clients import ssh_files
from orchestrator.model.errors import PeerUnavailable, Unfinished
from tests.integration.files.conftest import contents, unit
from tests.support.waiting import eventually

MIB = 1 << 20


@pytest.fixture
def started(monkeypatch):
    """The programs that were started, in order."""
    programs = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **more)
            programs.append(self)

    monkeypatch.setattr("orchestrator.clients.mirror.transfer.subprocess.Popen", Noted)
    return programs


def pull(new, old):
    """Everything that ``old`` has and ``new`` has not; returns how many units came."""
    with new.mirror.alone():
        return new.mirror.fetch(old.member, new.mirror.units_of(old.member) - new.mirror.units())


def mend(new, old, **how):
    with new.mirror.alone():
        return new.mirror.mend(old.member, new.mirror.units(), **{"by_content": False, "delete": True, **how})


def test_units_come_with_their_permissions(old, new):
    folder = old.put(unit(1), blueprint="text", script="#!/bin/sh")
    (folder / "script").chmod(0o750)
    (folder / "blueprint").chmod(0o440)
    folder.parent.chmod(0o750)
    old.put(unit(2, "a name with spaces, and ü$"))
    assert new.mirror.units_of(old.member) == old.mirror.units()
    assert pull(new, old) == 2
    assert contents(new.files) == contents(old.files)
    assert (new.files / unit(1)).parent.stat().st_mode == folder.parent.stat().st_mode
    assert pull(new, old) == 0


def test_what_is_no_unit_is_not_listed(old, new):
    old.put(unit(1))
    (old.files / "blueprints" / "stray").write_text("")
    (old.files / unit(2)).parent.joinpath("not-hexadecimal").mkdir()
    (old.files / unit(3)).symlink_to(old.files / unit(1))
    assert new.mirror.units_of(old.member) == {unit(1)}


def test_a_link_is_mirrored_as_a_link(old, new):
    folder = old.put(unit(1))
    (folder / "link").symlink_to("/etc/passwd")
    pull(new, old)
    assert (new.files / unit(1) / "link").readlink() == Path("/etc/passwd")


def test_a_unit_that_is_gone_meanwhile_is_left_out(old, new):
    old.put(unit(1))
    with new.mirror.alone():
        assert new.mirror.fetch(old.member, frozenset({unit(1), unit(2)})) == 1
    assert new.mirror.units() == {unit(1)}


def test_nothing_of_a_transfer_that_is_killed_is_seen_and_the_next_one_goes_on(old, new, started):
    folder = old.put(unit(1))
    block = os.urandom(MIB)
    with (folder / "large").open("wb") as file:
        for _ in range(300):
            file.write(block)
    arriving = new.config.paths.incoming / unit(1) / "large"

    def has_begun() -> bool:
        return arriving.exists() and arriving.stat().st_size > 0

    with ThreadPoolExecutor(1) as pool:
        transfer = pool.submit(pull, new, old)
        eventually(has_begun, 30, "the file arrives")
        os.killpg(started[-1].pid, signal.SIGKILL)
        with pytest.raises(PeerUnavailable):
            transfer.result()
    assert new.mirror.units() == frozenset()
    begun = arriving.stat()
    assert begun.st_size < 300 * MIB
    pull(new, old)
    arrived = (new.files / unit(1) / "large").stat()
    assert (arrived.st_size, arrived.st_ino) == (300 * MIB, begun.st_ino)
    assert not arriving.exists()


def test_a_transfer_that_takes_too_long_is_ended_with_all_its_processes(old, new, started):
    old.put(unit(1))
    new.mirror.units_of(old.member)
    new.mirror._transfer._timeout_s = 0.001
    with pytest.raises(Unfinished, match="the next run goes on"):
        pull(new, old)
    assert started[-1].returncode == -signal.SIGKILL


def test_a_transfer_that_goes_on_after_its_worker_keeps_others_away(new):
    with new.mirror.alone(), pytest.raises(Unfinished, match="not ended yet"), new.mirror.alone():
        pass


@pytest.mark.parametrize(
    ("spoil", "found_by_content_only"),
    [
        (lambda folder: (folder / "a").write_text("longer than before"), False),
        (lambda folder: (folder / "a").unlink(), False),
        (lambda folder: (folder / "more").write_text("x"), False),
        (lambda folder: (folder / "a").chmod(0o600), False),
        (lambda folder: _corrupt(folder / "a"), True),
    ],
    ids=["changed", "deleted", "added", "permissions", "corrupted"],
)
def test_whatever_differs_is_mended(old, new, spoil, found_by_content_only):
    old.put(unit(1), a="right", b="right").joinpath("a").chmod(0o644)
    old.put(unit(2, "ü \n#"))
    pull(new, old)
    spoil(new.files / unit(1))
    assert contents(new.files) != contents(old.files)
    only_here, only_there = new.put(unit(3)), old.put(unit(4))
    mend(new, old)
    shutil.rmtree(only_here)
    shutil.rmtree(only_there)
    assert (contents(new.files) != contents(old.files)) is found_by_content_only
    mend(new, old, by_content=True)
    assert contents(new.files) == contents(old.files)


def _corrupt(file):
    """Another content, of the same size and date."""
    before = file.stat()
    file.write_text("wrong")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_without_leave_to_delete_nothing_is_deleted(old, new):
    old.put(unit(1))
    pull(new, old)
    (new.files / unit(1) / "more").write_text("x")
    mend(new, old, delete=False)
    assert (new.files / unit(1) / "more").exists()


def test_a_unit_is_removed_with_its_empty_folders_also_when_it_is_read_only(new):
    folder = new.put(unit(1))
    (folder / "inner").mkdir(mode=0o500)
    new.put(unit(2))
    new.put(unit(3, "other"))
    new.mirror.remove([unit(1), unit(3, "other"), unit(4)])
    assert new.mirror.units() == {unit(2)}
    assert [path.name for path in (new.files / "blueprints" / "default_tenant").iterdir()] == ["hello"]
    assert not any((new.config.paths.incoming / ".trash").glob("*"))


@pytest.fixture
def many(monkeypatch):
    """More units than are mended in one run."""
    monkeypatch.setattr("orchestrator.clients.mirror.transfer.MANY", 5)
    return [unit(number) for number in range(12)]


def test_many_units_are_fetched(old, new, many):
    before = new.config.paths.state.stat().st_mode, new.files.stat().st_mode
    for each in many:
        old.put(each, blueprint=each).chmod(0o750)
    with new.mirror.alone():
        assert new.mirror.fetch(old.member, frozenset(many[:3])) == 3
    assert pull(new, old) == 9
    assert contents(new.files) == contents(old.files)
    assert (new.config.paths.state.stat().st_mode, new.files.stat().st_mode) == before
    assert new.config.paths.incoming.stat().st_mode & 0o777 == 0o700


def test_of_many_units_those_that_are_here_do_not_come_again(old, new, many):
    for each in many:
        old.put(each, blueprint=each)
    with new.mirror.alone():
        new.mirror.fetch(old.member, frozenset(many[:3]))
    here = [(new.files / each).stat().st_ino for each in many[:3]]
    pull(new, old)
    assert [(new.files / each).stat().st_ino for each in many[:3]] == here
    assert not [path for path in new.config.paths.incoming.rglob("*") if path.is_file()]


def test_what_was_not_asked_for_is_not_put_into_the_tree(old, new, many):
    for each in many:
        old.put(each, blueprint=each)
    with new.mirror.alone():
        assert new.mirror.fetch(old.member, frozenset(many[:6])) == 6
    assert new.mirror.units() == set(many[:6])
    assert pull(new, old) == 6
    assert contents(new.files) == contents(old.files)


@pytest.mark.parametrize("name", ["a b ", "\u2028x", "line\nfeed", "\\#012", "ü\x85", "-e", "*"])
def test_a_file_of_any_name_is_mended(old, new, name):
    old.put(unit(1), **{name: "right"})
    pull(new, old)
    (new.files / unit(1) / name).write_text("spoilt")
    assert mend(new, old) == 1
    assert contents(new.files) == contents(old.files)


def test_many_units_are_mended_in_several_runs(old, new, many):
    for each in many:
        old.put(each, blueprint=each)
    pull(new, old)
    for each in many:
        (new.files / each / "blueprint").write_text("spoilt, and longer")
    assert mend(new, old) == 12
    assert contents(new.files) == contents(old.files)


def test_a_machine_that_shows_another_key_is_not_believed(old, new):
    old.put(unit(1))
    impostor = replace(old.member, ssh_host_key=new.member.ssh_host_key)
    with pytest.raises(PeerUnavailable, match="Host key verification failed"):
        new.mirror.units_of(impostor)


def test_who_is_no_member_any_more_gets_nothing(old, new):
    old.put(unit(1))
    ssh_files.authorise(old.config, [])
    with pytest.raises(PeerUnavailable, match="Permission denied"):
        new.mirror.units_of(old.member)
    with pytest.raises(PeerUnavailable), new.mirror.alone():
        new.mirror.fetch(old.member, frozenset({unit(1)}))
    assert new.mirror.units() == frozenset()


def test_a_machine_that_is_down_is_said_to_be(old, new):
    old.__exit__()
    with pytest.raises(PeerUnavailable, match="old did not send files"):
        new.mirror.units_of(old.member)
