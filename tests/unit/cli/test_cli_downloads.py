"""A downloaded file is there when all of it is, and never in the place of another one."""

from __future__ import annotations

import os

import pytest

from tests.unit.cli.scripted import NOT_LEADER, File, error

CONTENT = os.urandom(700_000)
WHERE = "GET /blueprints/web/archive"


@pytest.fixture(autouse=True)
def present_folder(tmp_path, monkeypatch):
    folder = tmp_path / "present"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def manager(cfy, managers):
    manager = managers.add({WHERE: (200, File("web.tar.bz2", CONTENT))})
    cfy.profile(manager, port=managers.port)
    return manager


def download(cfy, *more):
    return cfy("blueprints", "download", "web", *more)


def test_it_gets_the_manager_s_name_for_it(cfy, manager, present_folder):
    result = download(cfy)
    assert result.stdout == "Blueprint web is downloaded to web.tar.bz2.\n"
    assert [it.name for it in present_folder.iterdir()] == ["web.tar.bz2"]
    assert (present_folder / "web.tar.bz2").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "becomes"),
    [(None, "web.tar.gz"), ("../../evil", "evil"), ("/etc/passwd", "passwd"), ("..", "archive")],
)
def test_a_name_is_never_a_place(cfy, manager, present_folder, name, becomes):
    manager.table[WHERE] = (200, File(name, CONTENT))
    assert cfy.json("blueprints", "download", "web") == {"path": becomes}
    assert [it.name for it in present_folder.iterdir()] == [becomes]


def test_to_a_file_of_another_name(cfy, manager, tmp_path):
    assert download(cfy, "-o", str(tmp_path / "mine")).exit_code == 0
    assert (tmp_path / "mine").read_bytes() == CONTENT


def test_to_a_folder(cfy, manager, tmp_path):
    assert download(cfy, "-o", str(tmp_path)).exit_code == 0
    assert (tmp_path / "web.tar.bz2").read_bytes() == CONTENT


def test_only_its_owner_can_read_it(cfy, manager, tmp_path):
    download(cfy, "-o", str(tmp_path / "mine"))
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("options", [[], ["-o", "web.tar.bz2"], ["-o", "."]])
def test_a_file_that_is_there_stays(cfy, manager, present_folder, options):
    (present_folder / "web.tar.bz2").write_text("mine")
    result = download(cfy, *options)
    assert result.exit_code == 1
    assert "web.tar.bz2 exists already" in result.stderr
    assert (present_folder / "web.tar.bz2").read_text() == "mine"


def test_unless_it_is_to_be_replaced(cfy, manager, present_folder):
    (present_folder / "web.tar.bz2").write_text("mine")
    assert download(cfy, "--force").exit_code == 0
    assert (present_folder / "web.tar.bz2").read_bytes() == CONTENT


def test_one_that_breaks_off_begins_again_on_the_next_member(cfy, managers, present_folder):
    first = managers.add({WHERE: (200, File("web.tar.gz", CONTENT, sent=300_000))})
    second = managers.add({WHERE: (200, File("web.tar.gz", CONTENT))})
    cfy.profile(first, second, port=managers.port)
    assert download(cfy).exit_code == 0
    assert (present_folder / "web.tar.gz").read_bytes() == CONTENT


def test_half_a_file_is_none(cfy, managers, present_folder):
    first = managers.add({WHERE: (200, File("web.tar.gz", CONTENT, sent=300_000))})
    second = managers.add({"*": NOT_LEADER})
    cfy.profile(first, second, port=managers.port)
    result = download(cfy)
    assert result.exit_code == 3
    assert "400000 bytes are missing" in result.stderr
    assert not list(present_folder.iterdir())


def test_a_place_that_cannot_be_written_is_no_reason_to_ask_another_member(cfy, managers, tmp_path):
    first, second = (managers.add({WHERE: (200, File("web", CONTENT))}) for _ in range(2))
    cfy.profile(first, second, port=managers.port)
    result = download(cfy, "-o", str(tmp_path / "missing" / "file"))
    assert result.exit_code == 1
    assert "Cannot write" in result.stderr
    assert not second.seen


def test_what_is_not_there(cfy, manager, present_folder):
    manager.table[WHERE] = error(404, "not_found_error", "Requested `Blueprint` with ID `web` was not found")
    result = download(cfy)
    assert result.exit_code == 1
    assert "`web` was not found" in result.stderr
    assert not list(present_folder.iterdir())
