"""Snapshots from the command line: made, fetched, brought back, on a manager that nobody else uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.rest import ManagerNode, manager_node

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node() -> Iterator[ManagerNode]:
    """A restore replaces all that a manager has."""
    with manager_node(protocol="http") as node:
        node.start_process()
        yield node


@pytest.fixture
def snapshot(cfy, name):
    """A snapshot that has been made: its id."""
    execution = cfy.json("snapshots", "create", name)
    result = cfy("events", "list", execution["id"], "--tail", "--timeout", "60")
    assert result.exit_code == 0, result.output
    yield name
    cfy("snapshots", "delete", name)


def status(cfy, name):
    return cfy.json("snapshots", "get", name)["status"]


def test_it_is_made_listed_and_deleted(cfy, snapshot):
    assert status(cfy, snapshot) == "created"
    assert [it["id"] for it in cfy.json("snapshots", "list")] == [snapshot]
    assert cfy("snapshots", "delete", snapshot).exit_code == 0
    assert cfy.json("snapshots", "list") == []


def test_it_goes_out_and_comes_back(cfy, snapshot, tmp_path):
    file = cfy.json("snapshots", "download", snapshot, "-o", str(tmp_path))["path"]
    assert file == str(tmp_path / f"{snapshot}.zip")
    assert cfy.json("snapshots", "upload", file, "-s", f"{snapshot}-back")["status"] == "uploaded"
    assert cfy("snapshots", "delete", f"{snapshot}-back").exit_code == 0


def test_what_is_no_snapshot(cfy, name, tmp_path):
    (tmp_path / "text.zip").write_text("not a zip")
    result = cfy("snapshots", "upload", str(tmp_path / "text.zip"), "-s", name)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert cfy("snapshots", "get", name).exit_code == 1


def test_a_restore_brings_back_what_was_deleted(cfy, uploaded, snapshot, tmp_path):
    assert cfy("blueprints", "delete", uploaded).exit_code == 0
    execution = cfy.json("snapshots", "restore", snapshot, "--force")
    result = cfy("events", "list", execution["id"], "--tail", "--timeout", "60")
    assert result.exit_code == 0, result.output
    assert cfy.json("snapshots", "status")["status"] == "not-running"
    assert cfy.json("blueprints", "get", uploaded)["id"] == uploaded
    assert cfy("blueprints", "download", uploaded, "-o", str(tmp_path)).exit_code == 0
