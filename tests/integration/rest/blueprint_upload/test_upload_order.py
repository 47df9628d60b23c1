"""What an upload does, in which order, and what it costs."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from manager.errors import Unavailable
from tests.support.archives import BLUEPRINT, blueprint, tar_gz
from tests.support.uploads import error_of, is_locked, pieces, remove_all, rows, units, upload

pytestmark = pytest.mark.integration

MEGABYTE = 1024 * 1024
MAX_GROWTH_MB = 40


def test_files_are_safe_before_there_is_a_row_and_locked_until_there_is(node, gateway, rest, name):
    seen = []

    def look() -> None:
        (unit,) = units(node)
        seen.append((unit / "archive").read_bytes() == blueprint())
        seen.append((unit / "content" / "blueprint.yaml").read_text() == BLUEPRINT)
        seen.append(is_locked(node.config.paths.uploads / unit.name))
        seen.append(rows(node, "SELECT count(*) FROM blueprints") == [(0,)])

    gateway.protecting = look
    assert upload(rest, name).status_code == 201
    assert seen == [True] * 4
    assert list(node.config.paths.uploads.iterdir()) == []


def test_files_that_no_replica_confirms_are_not_acknowledged_and_taken_back(node, gateway, rest, name):
    def refuse() -> None:
        raise Unavailable("not confirmed")

    gateway.protecting = refuse
    assert upload(rest, name).status_code == 503
    assert units(node) == []
    assert gateway.changes == 1
    assert rest.get(f"/blueprints/{name}").status_code == 404


def test_a_refused_blueprint_is_answered_without_waiting_for_replicas(gateway, rest, name):
    released = threading.Event()
    gateway.protecting = lambda: released.wait(60) and None
    assert error_of(upload(rest, name, blueprint("a: b"))) == (400, "invalid_blueprint_error")
    released.set()


def test_the_replicas_are_told_of_a_deletion_after_the_files_are_gone(node, gateway, rest, name):
    upload(rest, name)
    seen = []
    gateway.files_changed = lambda: seen.append(units(node))
    assert rest.delete(f"/blueprints/{name}").status_code == 200
    assert seen == [[]]


def test_the_length_of_an_upload_costs_no_memory(node, name):
    """200 MB in and out again, by the process's own highest mark."""
    process = node.start_process()
    rest = node.client()
    upload(rest, f"{name}-small")
    rest.get(f"/blueprints/{name}-small/archive")
    noise = os.urandom(MEGABYTE)
    content = tar_gz({"top/blueprint.yaml": BLUEPRINT.encode(), "top/noise": noise * 200}, level=0)
    before_mb = highest_mb(process.pid)
    assert rest.request("PUT", f"/blueprints/{name}", data=pieces(content, MEGABYTE)).status_code == 201
    with rest.get(f"/blueprints/{name}/archive", stream=True) as answer:
        assert sum(map(len, answer.iter_content(MEGABYTE))) == len(content)
    assert len(content) > 190 * MEGABYTE
    assert highest_mb(process.pid) - before_mb < MAX_GROWTH_MB
    remove_all(rest)


def highest_mb(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024
