"""Files have their place at once and whole, or not at all; and nobody tidies away what is in the works."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from manager.errors import BadParameters, StorageFull, TooLarge
from manager.files import Folders, Sink, Unit, Work
from manager.files.works import tidy

UNIT = Unit("blueprints", "tenant", "app", "0" * 32)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "files", tmp_path / "staging", tmp_path / "uploads")
    made.make()
    return made


def prepared(folder: Path) -> Path:
    (folder / "content" / "deep").mkdir(parents=True)
    (folder / "content" / "deep" / "file").write_text("text")
    (folder / "archive").write_bytes(b"archive")
    return folder


def is_locked(lock: Path) -> bool:
    with lock.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_unit_gets_its_place_and_goes(folders):
    with Work.begin(folders) as work:
        unit = Unit("blueprints", "tenant", "app", work.storage_id)
        unit.place(prepared(work.folder), folders)
    assert unit.path(folders) == folders.files / "blueprints" / "tenant" / "app" / work.storage_id
    assert unit.archive(folders).read_bytes() == b"archive"
    assert (unit.content(folders) / "deep" / "file").read_text() == "text"
    unit.remove(folders)
    assert list((folders.files / "blueprints").iterdir()) == []
    assert list(folders.staging.iterdir()) == []
    unit.remove(folders)


def test_units_of_one_id_do_not_take_each_others_folder_away(folders):
    other = Unit("blueprints", "tenant", "app", "1" * 32)
    for unit in (UNIT, other):
        unit.place(prepared(folders.staging / unit.storage_id), folders)
    UNIT.remove(folders)
    assert other.archive(folders).is_file()


def test_a_folder_that_vanishes_meanwhile_is_made_again(folders, monkeypatch):
    place = UNIT.path(folders)
    true_rename = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if place.parent.exists() and not (folders.files / "swept").exists():
            (folders.files / "swept").touch()
            place.parent.rmdir()
        return true_rename(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    UNIT.place(prepared(folders.staging / "x"), folders)
    assert UNIT.archive(folders).is_file()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "x" * 256, "ä" * 128])
def test_an_id_that_is_no_folders_name_is_refused(folders, name):
    for unit in (Unit("blueprints", "tenant", name, "0" * 32), Unit("blueprints", name, "app", "0" * 32)):
        with pytest.raises(BadParameters, match="blueprint"):
            unit.path(folders)


def test_work_is_locked_as_long_as_it_lasts_and_leaves_nothing(folders):
    with Work.begin(folders) as work:
        assert is_locked(folders.uploads / work.storage_id)
        prepared(work.folder)
    assert list(folders.staging.iterdir()) == list(folders.uploads.iterdir()) == []


def test_tidying_leaves_what_is_in_the_works_alone(folders):
    with Work.begin(folders) as work:
        prepared(work.folder)
        tidy(folders)
        assert (work.folder / "archive").is_file()
        assert is_locked(folders.uploads / work.storage_id)


def test_what_a_killed_process_left_is_tidied_away(folders):
    program = (
        "import os, sys; from pathlib import Path; from manager.files import Folders, Work\n"
        "with Work.begin(Folders(*map(Path, sys.argv[1:]))) as work:\n"
        "    (work.folder / 'archive').write_bytes(b'half')\n"
        "    os._exit(1)\n"
    )
    paths = [str(folder) for folder in (folders.files, folders.staging, folders.uploads)]
    subprocess.run([sys.executable, "-c", program, *paths], check=False, timeout=60)
    assert len(list(folders.staging.iterdir())) == len(list(folders.uploads.iterdir())) == 1
    UNIT.place(prepared(folders.staging / "whole"), folders)
    tidy(folders)
    assert list(folders.staging.iterdir()) == list(folders.uploads.iterdir()) == []
    assert UNIT.archive(folders).is_file()


def test_a_folder_that_cannot_be_tidied_stops_nobody(tmp_path):
    (tmp_path / "file").touch()
    tidy(Folders(tmp_path / "file" / "files", tmp_path / "staging", tmp_path / "uploads"))


def test_what_was_received_is_whole(tmp_path):
    with Sink(tmp_path / "archive", 10) as sink:
        sink.write(b"12345")
        sink.write(b"67890")
        received = sink.finish()
    assert received.path.read_bytes() == b"1234567890"
    assert received.size_bytes == 10
    assert received.sha256 == "c775e7b757ede630cd0aa1113bd102661ab38829ca52a6422ab782862f268646"


def test_what_is_too_long_is_refused_and_removed(tmp_path):
    with pytest.raises(TooLarge, match="longer than 10 bytes"), Sink(tmp_path / "archive", 10) as sink:
        sink.write(b"12345678901")
    assert list(tmp_path.iterdir()) == []


def test_what_broke_off_is_removed(tmp_path):
    with Sink(tmp_path / "archive", 10) as sink:
        sink.write(b"1")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_to_be_full(tmp_path, monkeypatch):
    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageFull, match="no room"), Sink(tmp_path / "archive", 10) as sink:
        sink.write(b"1")
    assert list(tmp_path.iterdir()) == []
