"""The archive that is made of a blueprint's folder."""

from __future__ import annotations

import os
import socket
import tarfile
import time

import pytest

from cli.errors import CliError
from cli.packing import packed


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "web"
    (folder / "scripts").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "blueprint.yaml").write_text("tosca_definitions_version: cloudify_dsl_1_3\n")
    (folder / "scripts" / "start.sh").write_text("#!/bin/sh\n")
    (folder / "scripts" / "start.sh").chmod(0o750)
    (folder / ".hidden").write_text("also needed")
    return folder


def members(folder):
    with packed(folder) as archive, tarfile.open(archive) as tar:
        return {member.name: member for member in tar.getmembers()}


def test_all_of_it_is_below_one_top_folder(folder):
    names = {"web", *(f"web/{it}" for it in (".hidden", "blueprint.yaml", "empty", "scripts"))}
    assert set(members(folder)) == names | {"web/scripts/start.sh"}


def test_modes_stay_and_owners_do_not(folder):
    script = members(folder)["web/scripts/start.sh"]
    assert script.mode & 0o777 == 0o750
    assert (script.uid, script.gid, script.uname, script.gname) == (0, 0, "", "")


def test_the_same_files_make_the_same_bytes_at_any_time(folder, monkeypatch):
    with packed(folder) as first:
        monkeypatch.setattr(time, "time", lambda: 1.0)
        with packed(folder) as second:
            assert first != second
            assert first.read_bytes() == second.read_bytes()


def test_a_link_to_a_file_becomes_the_file(folder, tmp_path):
    (tmp_path / "outside").write_text("content")
    (folder / "link").symlink_to(tmp_path / "outside")
    os.link(folder / "blueprint.yaml", folder / "second-name")
    found = members(folder)
    assert found["web/link"].isreg()
    assert found["web/link"].size == len("content")
    assert found["web/second-name"].isreg()


def link_to_a_folder(path):
    path.symlink_to(path.parent)


def link_to_nothing(path):
    path.symlink_to("nowhere")


def listening_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("make", [link_to_a_folder, link_to_nothing, os.mkfifo, listening_socket])
def test_what_a_manager_does_not_take_is_refused_by_name(folder, make, monkeypatch):
    monkeypatch.chdir(folder)  # A socket's path has to be short.
    make(type(folder)("odd"))
    with pytest.raises(CliError, match="odd cannot be packed"), packed(folder):
        pass


def test_nothing_stays_behind(folder):
    with packed(folder) as archive:
        temporary = archive.parent
    assert not temporary.exists()
