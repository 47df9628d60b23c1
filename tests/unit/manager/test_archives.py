"""Archives are unpacked, whatever kind they are of; and what was made to do harm does none."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager.errors import StorageFull
from manager.files.archives import DEFAULT_LIMITS, kind_of, unpack
from manager.files.archives.limits import BadArchive, Names
from tests.support import archives
from tests.support.archives import entry, tar, tar_bz2, tar_gz, tar_of, zipped
from tests.support.hostile_archives import HOSTILE

SMALL = replace(DEFAULT_LIMITS, max_entries=20, harmless_bytes=100_000, max_bytes=1_000_000, max_ratio=20)

KINDS = [(tar, "tar"), (tar_gz, "tar.gz"), (tar_bz2, "tar.bz2"), (zipped, "zip")]


@pytest.fixture
def archive(tmp_path: Path):
    """Writes an archive, and says where."""

    def write(content: bytes) -> Path:
        path = tmp_path / "archive"
        path.write_bytes(content)
        return path

    return write


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("make", "kind"), KINDS)
def test_the_inside_of_the_top_folder_is_unpacked(archive, tmp_path, make, kind):
    path = archive(make())
    unpack(path, tmp_path / "out")
    assert kind_of(path) == kind
    assert everything_in(tmp_path / "out") == {
        "blueprint.yaml": archives.BLUEPRINT.encode(),
        "scripts/start.sh": b"#!/bin/sh\n",
    }


def test_a_dot_before_all_names_is_usual(archive, tmp_path):
    entries = [entry("./", type=tarfile.DIRTYPE), entry("./top/a", b"1"), entry("././top//b", b"2")]
    path = archive(tar_of(entries))
    unpack(path, tmp_path / "out")
    assert everything_in(tmp_path / "out") == {"a": b"1", "b": b"2"}


def test_what_may_be_run_and_nothing_else_of_the_mode_is_kept(archive, tmp_path):
    path = archive(tar_of([entry("top/run", b"", mode=0o4777), entry("top/read", b"", mode=0o0)]))
    unpack(path, tmp_path / "out")
    modes = {name: stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in ("run", "read")}
    assert modes == {"run": 0o755, "read": 0o644}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_hostile_is_refused_and_reaches_nothing(archive, tmp_path, what):
    content, words = HOSTILE[what]
    path = archive(content)
    (tmp_path / "room").mkdir()
    with pytest.raises(BadArchive, match=words):
        unpack(path, tmp_path / "room" / "out", SMALL)
    beside = {child.name for child in (tmp_path / "room").iterdir()} | {
        child.name for child in tmp_path.iterdir()
    }
    assert beside <= {"out", "room", "archive"}
    assert not [child for child in tmp_path.rglob("*") if child.is_symlink()]


SOUND = [tar(), tar_gz(), tar_bz2(), zipped()]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SOUND), st.lists(st.tuples(st.integers(0, 1600), st.binary(max_size=4)), max_size=5))
def test_whatever_is_broken_is_refused_in_our_own_words(tmp_path_factory, sound, changes):
    broken = bytearray(sound)
    for place, content in changes:
        broken[place % len(sound) : place % len(sound) + len(content)] = content
    folder = tmp_path_factory.mktemp("noise")
    (folder / "archive").write_bytes(broken)
    with suppress(BadArchive):
        unpack(folder / "archive", folder / "out", SMALL)


@given(st.text(alphabet="a./", max_size=12), st.booleans())
def test_no_name_leads_out(name, is_folder):
    try:
        path = Names(DEFAULT_LIMITS).take(name, is_folder=is_folder)
    except BadArchive:
        return
    assert Path("/room/out", path or ".").resolve().is_relative_to("/room/out")


def test_a_full_disk_is_said_to_be_full(archive, tmp_path, monkeypatch):
    def full(*_args: object, **_more: object) -> int:
        raise OSError(28, "No space left on device")

    path = archive(tar())
    monkeypatch.setattr(os, "open", full)
    with pytest.raises(StorageFull, match="no room"):
        unpack(path, tmp_path / "out")


def test_what_an_archive_says_for_all_its_entries_is_not_collected(archive, tmp_path):
    """A global header for each of 200 entries, each with a name of its own: 20 MB in all."""
    pieces = []
    for number in range(200):
        header = tarfile.TarInfo.create_pax_global_header({f"k{number}": "x" * 100_000})
        pieces.append(header + entry(f"top/{number}")[0].tobuf(tarfile.USTAR_FORMAT))
    path = archive(gzip.compress(b"".join(pieces) + bytes(1024)))
    tracemalloc.start()
    try:
        unpack(path, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_an_archive_may_be_larger_than_what_is_harmless(archive, tmp_path):
    content = os.urandom(300_000)
    unpack(archive(tar_gz({"top/a": content})), tmp_path / "out", SMALL)
    assert everything_in(tmp_path / "out") == {"a": content}
