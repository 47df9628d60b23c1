"""``cfy_manager archive``: it reads what lies there, and needs no service."""

from __future__ import annotations

import json
import tarfile

import pytest
from click.testing import CliRunner

from cli.cfy_manager import main
from cli.machine.archive import DEFAULT_STATE_FOLDER
from orchestrator.config import NodeConfig
from orchestrator.paths import Paths
from orchestrator.record import archive as archives
from orchestrator.record.archive import Archive

MADE = 1_790_000_000.0
NAME = archives.name_of(4, MADE)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "m.toml").write_text(f'[paths]\nstate = "{tmp_path}"\n')
    return NodeConfig(paths=Paths(state=tmp_path))


@pytest.fixture
def cfy_manager(tmp_path, config):
    return lambda *words: CliRunner().invoke(main, ["--config-file", str(tmp_path / "m.toml"), *words])


@pytest.fixture
def archived(config):
    filled = archives.begin(config)
    (filled / archives.DUMP).write_bytes(b"rows")
    return archives.finish(
        config, filled, Archive(NAME, "n1", 4, MADE - 60, MADE, "n3", "4@0/50", archives.DUMP, 2)
    )


def test_where_nothing_was_archived_that_is_said(cfy_manager):
    told = cfy_manager("archive", "list")
    assert (told.exit_code, told.stdout) == (0, "Nothing was ever archived on this node.\n")


def test_what_was_archived_is_listed_and_what_is_unfinished_is_not(cfy_manager, config, archived):
    archives.begin(config)
    told = cfy_manager("archive", "list", "--json")
    (found,) = json.loads(told.stdout)
    assert (found["name"], found["term"], found["gave_way_to"], found["units"]) == (NAME, 4, "n3", 2)


def test_one_is_shown_with_the_way_to_read_it(cfy_manager, archived):
    told = cfy_manager("archive", "show", NAME)
    assert f"pg_restore --list {archived / archives.DUMP}" in told.stdout.replace("\n", "")


def test_one_is_exported_whole_and_no_file_is_written_over(cfy_manager, archived, tmp_path):
    target = tmp_path / "out.tar.gz"
    assert cfy_manager("archive", "export", NAME, str(target)).exit_code == 0
    with tarfile.open(target) as packed:
        assert {f"{NAME}/{archives.DUMP}", f"{NAME}/{archives.MANIFEST}"} <= set(packed.getnames())
    again = cfy_manager("archive", "export", NAME, str(target))
    assert again.exit_code == 1
    assert "exists already" in again.stderr


def test_an_unknown_name_is_refused_with_a_hint(cfy_manager):
    told = cfy_manager("archive", "show", "nothing")
    assert told.exit_code == 1
    assert "cfy_manager archive list" in told.stderr


def test_both_look_in_the_same_place_when_nothing_is_configured():
    assert str(Paths().state) == DEFAULT_STATE_FOLDER
