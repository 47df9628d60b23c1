"""``cfy_manager logs``: it reads what lies there, and needs no service."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cli.cfy_manager import main
from cli.machine import journal, logs
from cli.machine.log_files import FollowedFolder, Wanted, last_lines


def at(second, text):
    return f"2026-11-23 11:00:{second:02d}.000 {text}\n"


@pytest.fixture(autouse=True)
def no_journal(monkeypatch):
    monkeypatch.setattr(journal, "journal_services", frozenset)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "log"
    (folder / "postgres").mkdir(parents=True)
    (folder / "cloudify-cluster.log").write_text(at(1, "plan") + at(5, "done"))
    (folder / "restservice.log").write_text(at(3, "refused") + "  because\n")
    (folder / "postgres" / "postgresql-Mon.log").write_text(at(4, "LOG: ready"))
    return folder


@pytest.fixture
def cfy_manager(tmp_path, folder):
    (tmp_path / "m.toml").write_text(f'[paths]\nlog = "{folder}"\n')
    return lambda *words: CliRunner().invoke(
        main, ["--config-file", str(tmp_path / "m.toml"), "logs", *words]
    )


def texts(result):
    assert result.exit_code == 0, result.output
    return [line.split("  ", 2)[2].strip() for line in result.stdout.splitlines()]


def test_all_services_in_the_order_of_time(cfy_manager):
    assert texts(cfy_manager()) == ["plan", "refused", "because", "LOG: ready", "done"]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["-n", "2"], ["LOG: ready", "done"]),
        (["--since", "2026-11-23 11:00:04"], ["LOG: ready", "done"]),
        (["--service", "cluster", "--service", "postgresql"], ["plan", "LOG: ready", "done"]),
    ],
)
def test_only_some_of_them(cfy_manager, words, shown):
    assert texts(cfy_manager(*words)) == shown


def test_json_is_one_object_a_line(cfy_manager):
    first = json.loads(cfy_manager("--json", "-n", "1").stdout)
    assert first["service"] == "cluster"
    assert first["text"] == "done"


def test_a_service_that_is_not_there_is_told_with_those_that_are(cfy_manager):
    result = cfy_manager("--service", "postgres")
    assert result.exit_code == 1
    assert "No service 'postgres' has a log here." in result.stderr
    assert "cluster, postgresql, restservice" in result.stderr


def test_without_a_configuration_the_usual_place_is_looked_at(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(logs, "DEFAULT_LOG_FOLDER", str(folder))
    result = CliRunner().invoke(main, ["--config-file", str(tmp_path / "none.toml"), "logs", "-n", "1"])
    assert texts(result) == ["done"]
    assert "cannot be read" in result.stderr


def test_without_a_manager_it_says_so(tmp_path):
    (tmp_path / "m.toml").write_text(f'[paths]\nlog = "{tmp_path}/nowhere"\n')
    result = CliRunner().invoke(main, ["--config-file", str(tmp_path / "m.toml"), "logs"])
    assert result.exit_code == 1
    assert "cfy_manager install makes one" in result.stderr


def test_of_a_long_file_the_end_is_read_as_far_as_it_takes(folder):
    path = folder / "long.log"
    path.write_text("".join(at(7, f"line {number} {'x' * 100}") for number in range(20_000)))
    [last] = last_lines("long", path, Wanted(1))
    assert last.text.startswith("line 19999 ")
    assert len(last_lines("long", path, Wanted(15_000))) == 15_000
    assert len(last_lines("long", path, Wanted(50_000))) == 20_000


def followed(files):
    return [line.text for lines in files.new_lines() for line in lines]


def test_following_shows_what_is_added_once_it_is_a_whole_line(folder):
    files = FollowedFolder(folder, Wanted(1))
    with (folder / "restservice.log").open("a") as file:
        file.write(at(8, "one") + "2026-11-23 11:00:09.000 ha")
        file.flush()
        assert followed(files) == ["one"]
        file.write("lf\n")
    assert followed(files) == ["half"]
    assert followed(files) == []


def test_following_goes_on_through_a_rotation_and_takes_up_new_files(folder):
    files = FollowedFolder(folder, Wanted(1))
    log = folder / "cloudify-cluster.log"
    log.rename(folder / "cloudify-cluster.log.1")
    log.write_text(at(8, "after the rotation"))
    (folder / "broker.log").write_text(at(9, "a new service"))
    assert sorted(followed(files)) == ["a new service", "after the rotation"]


def test_following_one_service_is_silent_about_the_others(folder):
    files = FollowedFolder(folder, Wanted(1, services=frozenset({"cluster"})))
    with (folder / "restservice.log").open("a") as file:
        file.write(at(8, "not wanted"))
    assert followed(files) == []
