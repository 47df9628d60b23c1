"""What an upload does, in which order; and what is left of one that goes wrong, or arrives twice."""

from __future__ import annotations

import base64
import fcntl
import os
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import requests

from manager.errors import StorageFull, Unavailable
from manager.files import receiving
from manager.gateway import Gateway
from manager.routes import blueprint_upload
from tests.support.archives import BLUEPRINT, blueprint, tar_gz
from tests.support.rest import ManagerNode, RestClient, manager_node
from tests.support.uploads import error_of, files_of, pieces, remove_all, upload
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

LIMIT_S = 1.0
MEGABYTE = 1024 * 1024
MAX_GROWTH_MB = 40


class Cluster(Gateway):
    """A manager that is alone, with a hook at the place where a cluster would wait for its replicas."""

    protecting: Callable[[], None] = staticmethod(lambda: None)
    changes = 0

    def protect_files(self, timeout_s: float) -> None:
        self.protecting()

    def files_changed(self) -> None:
        self.changes += 1


@pytest.fixture(scope="module")
def node() -> Iterator[ManagerNode]:
    """A node of its own: these tests look at its files while they change."""
    with manager_node("127.93.1.4") as node:
        yield node


@pytest.fixture
def gateway(node: ManagerNode) -> Cluster:
    return Cluster(node.config)


@pytest.fixture
def rest(node: ManagerNode, gateway: Cluster) -> Iterator[RestClient]:
    """A service of the test's own. Afterwards each row has its files, and there are no other files."""
    rest = node.start_in_thread(gateway, commit_limit_s=LIMIT_S)
    yield rest
    gateway.protecting = lambda: None
    remove_all(rest)
    eventually(lambda: files_of(node) == [], what="no files without rows")


def sql(node: ManagerNode, *statements: str) -> list:
    paths, port = node.config.paths, node.config.ports.postgres
    with closing(
        psycopg2.connect(host=str(paths.run), port=port, user="postgres", dbname="cloudify")
    ) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def units(node: ManagerNode) -> list[Path]:
    return list(node.config.paths.files.glob("blueprints/*/*/*"))


def is_locked(lock: Path) -> bool:
    with lock.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_files_are_safe_before_there_is_a_row_and_locked_until_there_is(node, gateway, rest, name):
    seen = []

    def look() -> None:
        (unit,) = units(node)
        seen.append((unit / "archive").read_bytes() == blueprint())
        seen.append((unit / "content" / "blueprint.yaml").read_text() == BLUEPRINT)
        seen.append(is_locked(node.config.paths.uploads / unit.name))
        seen.append(sql(node, "SELECT count(*) FROM blueprints") == [(0,)])

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


def test_a_body_that_breaks_off_leaves_nothing(node, rest, name):
    request = (
        f"PUT /api/v3.1/blueprints/{name} HTTP/1.1\r\nHost: x\r\nTenant: default_tenant\r\n"
        f"Authorization: {authorization(rest)}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    )
    with socket.create_connection(address(rest)) as connection:
        connection.sendall(request.encode())
        eventually(lambda: list(node.config.paths.uploads.iterdir()))
    eventually(lambda: files_of(node) == [])
    assert rest.get(f"/blueprints/{name}").status_code == 404


def authorization(rest: RestClient) -> str:
    return f"Basic {base64.b64encode(':'.join(rest.user).encode()).decode()}"


def address(rest: RestClient) -> tuple[str, int]:
    host, _, port = rest.base.removeprefix("http://").partition(":")
    return host, int(port)


def test_a_repeat_after_a_dropped_connection_gives_the_same_blueprint(node, gateway, rest, name):
    working, left = threading.Event(), threading.Event()

    def hold() -> None:
        working.set()
        left.wait(60)

    gateway.protecting = hold
    head = (
        f"PUT /api/v3.1/blueprints/{name} HTTP/1.1\r\nHost: x\r\nTenant: default_tenant\r\n"
        f"Authorization: {authorization(rest)}\r\nContent-Length: {len(blueprint())}\r\n\r\n"
    )
    with socket.create_connection(address(rest)) as connection:
        connection.sendall(head.encode() + blueprint())
        assert working.wait(60)
    # Whoever is answered now was heard after the connection had dropped.
    assert RestClient(rest.base).get("/status").status_code == 200
    left.set()
    eventually(lambda: rest.get(f"/blueprints/{name}").status_code == 200)
    first = rest.get(f"/blueprints/{name}").json()
    again = upload(rest, name)
    assert (again.status_code, again.json()["created_at"]) == (201, first["created_at"])
    assert len(units(node)) == 1
    assert error_of(upload(rest, name)) == (409, "conflict_error")


def test_a_repeat_that_arrives_on_the_next_leader_gives_the_same_blueprint(node, rest, name):
    first = upload(rest, name)
    next_leader = node.start_in_thread(Cluster(node.config))
    again = upload(next_leader, name)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(units(node)) == 1
    assert error_of(upload(next_leader, name)) == (409, "conflict_error")


NO_REPEATS = {
    "after an answer": (upload, None),
    "of another archive": (
        lambda rest, name: upload(rest, name, tar_gz({"top/blueprint.yaml": b""})),
        "next",
    ),
    "of another main file": (
        lambda rest, name: upload(rest, name, query="?application_file_name=other.yaml"),
        "next",
    ),
    "from another user": (
        lambda rest, name: upload(rest.as_user(f"{name}-other", "password"), name),
        "next",
    ),
    "too late": (upload, "late"),
}


@pytest.mark.parametrize("what", NO_REPEATS)
def test_what_is_no_repeat_is_a_conflict(node, rest, name, what):
    again, where = NO_REPEATS[what]
    rest.put("/users", {"username": f"{name}-other", "password": "password"})
    rest.put("/tenants/users", {"username": f"{name}-other", "tenant_name": "default_tenant", "role": "user"})
    upload(rest, name)
    if where == "late":
        sql(node, "UPDATE blueprints SET created_at = created_at - interval '10 minutes 1 second'")
    asked = node.start_in_thread(Cluster(node.config)) if where else rest
    assert error_of(again(asked, name)) == (409, "conflict_error")
    assert len(units(node)) == 1
    rest.delete(f"/users/{name}-other")


def test_uploads_of_one_blueprint_at_the_same_time_make_one(node, rest, name):
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: upload(RestClient(rest.base), name), range(5)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["created_at"] for answer in answers if answer.ok}) == 1
    eventually(lambda: len(units(node)) == 1)
    assert sql(node, "SELECT count(*) FROM blueprints") == [(1,)]


def test_what_may_be_committed_keeps_its_files(node, rest, name):
    """No replica confirms the commit, and the client is let go without an answer. It is confirmed later."""
    sql(node, "ALTER SYSTEM SET synchronous_standby_names = 'ghost'", "SELECT pg_reload_conf()")
    eventually(lambda: sql(node, "SHOW synchronous_standby_names") == [("ghost",)])
    try:
        with pytest.raises(requests.ConnectionError):
            upload(rest, name)
        assert len(units(node)) == 1
        assert is_locked(node.config.paths.uploads / units(node)[0].name)
        assert RestClient(rest.base).get(f"/blueprints/{name}").status_code == 404
    finally:
        sql(node, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
    eventually(lambda: RestClient(rest.base).get(f"/blueprints/{name}").status_code == 200)
    assert upload(RestClient(rest.base), name).status_code == 201
    assert len(units(node)) == 1


def test_a_commit_whose_wait_is_broken_off_keeps_its_files(node, rest, name):
    """PostgreSQL keeps such a commit, and says so with a warning: nobody knows whether it lasts."""
    sql(node, "ALTER SYSTEM SET synchronous_standby_names = 'ghost'", "SELECT pg_reload_conf()")
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    try:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(upload, rest, name)
            ((pid,),) = eventually(lambda: sql(node, waiting))
            sql(node, f"SELECT pg_cancel_backend({pid})")
            with pytest.raises(requests.ConnectionError):
                asked.result()
    finally:
        sql(node, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
    assert RestClient(rest.base).get(f"/blueprints/{name}/archive").content == blueprint()
    assert upload(RestClient(rest.base), name).status_code == 201


def test_an_upload_that_may_not_write_takes_its_files_back(node, rest, name, monkeypatch):
    async def none_left(_: object) -> AsyncIterator[None]:
        raise Unavailable("Writes wait for a replica to confirm them; try again later.")
        yield

    monkeypatch.setattr(blueprint_upload, "write_slot", none_left)
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
    node.start_in_thread(gateway)
    assert not folder.exists()


def test_the_length_of_an_upload_costs_no_memory(node, name):
    """200 MB in and out again, by the process's own highest mark."""
    process = node.start_process()
    rest = node.client()
    upload(rest, f"{name}-small")
    rest.get(f"/blueprints/{name}-small/archive")
    noise = os.urandom(MEGABYTE)
    content = tar_gz({"top/blueprint.yaml": BLUEPRINT.encode(), "top/noise": noise * 200})
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
