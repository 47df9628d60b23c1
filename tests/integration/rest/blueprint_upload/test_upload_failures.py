"""What is left of an upload that goes wrong: nothing, unless it may have been acknowledged."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from manager.errors import StorageFull, Unavailable
from manager.files import receiving
from manager.routes import uploading
from tests.support.archives import blueprint
from tests.support.rest import RestClient
from tests.support.uploads import address_of, files_of, head_of, is_locked, rows, units, upload
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def test_a_body_that_breaks_off_leaves_nothing(node, rest, name):
    with socket.create_connection(address_of(rest)) as connection:
        connection.sendall(head_of(rest, name, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
        eventually(lambda: list(node.config.paths.uploads.iterdir()))
    eventually(lambda: files_of(node) == [])
    assert rest.get(f"/blueprints/{name}").status_code == 404


def test_what_may_be_committed_keeps_its_files(node, rest, name):
    """No replica confirms the commit, and the client is let go without an answer. It is confirmed later."""
    rows(node, "ALTER SYSTEM SET synchronous_standby_names = 'ghost'", "SELECT pg_reload_conf()")
    eventually(lambda: rows(node, "SHOW synchronous_standby_names") == [("ghost",)])
    try:
        with pytest.raises(requests.ConnectionError):
            upload(rest, name)
        assert len(units(node)) == 1
        assert is_locked(node.config.paths.uploads / units(node)[0].name)
        assert RestClient(rest.base).get(f"/blueprints/{name}").status_code == 404
    finally:
        rows(node, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
    eventually(lambda: RestClient(rest.base).get(f"/blueprints/{name}").status_code == 200)
    assert upload(RestClient(rest.base), name).status_code == 201
    assert len(units(node)) == 1


def test_a_commit_whose_wait_is_broken_off_keeps_its_files(node, rest, name):
    """PostgreSQL keeps such a commit, and says so with a warning: nobody knows whether it lasts."""
    rows(node, "ALTER SYSTEM SET synchronous_standby_names = 'ghost'", "SELECT pg_reload_conf()")
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    try:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(upload, rest, name)
            ((pid,),) = eventually(lambda: rows(node, waiting))
            rows(node, f"SELECT pg_cancel_backend({pid})")
            with pytest.raises(requests.ConnectionError):
                asked.result()
    finally:
        rows(node, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
    assert RestClient(rest.base).get(f"/blueprints/{name}/archive").content == blueprint()
    assert upload(RestClient(rest.base), name).status_code == 201


def test_an_upload_that_may_not_write_takes_its_files_back(node, rest, name, monkeypatch):
    async def none_left(_: object) -> AsyncIterator[None]:
        raise Unavailable("Writes wait for a replica to confirm them; try again later.")
        yield

    monkeypatch.setattr(uploading, "write_slot", none_left)
    assert upload(rest, name).status_code == 503
    assert units(node) == []


def test_a_database_that_takes_no_writes_takes_the_files_back(node, gateway, rest, name):
    gateway.protecting = lambda: node.postgres.set_read_only(read_only=True)
    try:
        assert upload(rest, name).status_code == 503
        assert units(node) == []
    finally:
        node.postgres.set_read_only(read_only=False)


def test_a_full_disk_is_said_to_be_full_and_leaves_nothing(node, rest, name, monkeypatch):
    def full(*_: object) -> None:
        raise StorageFull("There is no room left on the manager's disk; nothing was kept.")

    monkeypatch.setattr(receiving.Sink, "write", full)
    answer = upload(rest, name)
    assert answer.status_code == 507
    assert "no room left" in answer.json()["message"]
    assert files_of(node) == []


def test_what_a_crash_left_in_the_staging_folder_is_gone_after_the_next_start(node, gateway, name):
    folder = node.config.paths.state / "staging" / name
    folder.mkdir(parents=True)
    (folder / "archive").write_bytes(b"half")
    with node.serving(gateway):
        assert not folder.exists()
