"""What clients are told while the database, or its replicas, let the service down."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
import requests

from manager.gateway import Gateway
from manager.patience import WRITERS
from orchestrator.clients import clock
from orchestrator.formation import pki
from orchestrator.record import lease_file
from orchestrator.record.lease_file import LeaseState
from tests.support.rest import ManagerNode, RestClient, manager_node
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

LIMIT_S = 1.0
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


class Database:
    """The operator's hand on the database of one node."""

    def __init__(self, node: ManagerNode) -> None:
        self.node = node

    def execute(self, *statements: str) -> list:
        paths, port = self.node.config.paths, self.node.config.ports.postgres
        connection = psycopg2.connect(host=str(paths.run), port=port, user="postgres", dbname="cloudify")
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def want_replica(self, names: str) -> None:
        """Have every commit from now on wait for these."""
        self.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'", "SELECT pg_reload_conf()")
        eventually(lambda: self.execute("SHOW synchronous_standby_names") == [(names,)])

    def waiting(self) -> list[int]:
        """The backends whose commit waits for a replica."""
        return [pid for (pid,) in self.execute(WAITING)]


@pytest.fixture(scope="module")
def node() -> Iterator[ManagerNode]:
    """A node of its own: these tests take its database down."""
    with manager_node() as node:
        yield node


@pytest.fixture
def database(node) -> Iterator[Database]:
    database = Database(node)
    yield database
    if "postgresql" not in node.services.running():
        node.postgres.start(standby=False)
    node.postgres.set_read_only(read_only=False)
    database.execute("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
    eventually(lambda: not database.waiting())


@pytest.fixture(scope="module")
def rest(node) -> RestClient:
    rest = node.start_in_thread(Gateway(node.config), commit_limit_s=LIMIT_S)
    assert rest.get("/status").status_code == 200
    return rest


def another(rest: RestClient) -> RestClient:
    """The same client on a connection of its own."""
    return RestClient(rest.base)


def test_a_commit_that_no_replica_confirms_gets_no_answer(rest, database, name):
    database.want_replica("ghost")
    began_s = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        another(rest).post(f"/tenants/{name}")
    assert LIMIT_S <= time.monotonic() - began_s < LIMIT_S + 5
    assert database.waiting()
    assert rest.get(f"/tenants/{name}").status_code == 404  # and nobody sees what may yet be lost


def test_a_commit_whose_wait_is_broken_off_gets_no_answer(rest, database, name):
    """PostgreSQL answers such a commit with success and a warning."""
    database.want_replica("ghost")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(another(rest).post, f"/tenants/{name}")
        (pid,) = eventually(database.waiting)
        database.execute(f"SELECT pg_cancel_backend({pid})")
        with pytest.raises(requests.ConnectionError):
            asked.result()


def test_a_commit_that_is_confirmed_late_is_answered(rest, database, name):
    database.want_replica("ghost")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(another(rest).post, f"/tenants/{name}")
        eventually(database.waiting)
        database.want_replica("")
        assert asked.result().status_code == 201


def test_waiting_writers_leave_reading_alone(rest, database, name):
    database.want_replica("ghost")
    with ThreadPoolExecutor(3 * WRITERS) as pool:
        asked = [pool.submit(_outcome, another(rest), f"/tenants/{name}-{n}") for n in range(3 * WRITERS)]
        eventually(lambda: len(database.waiting()) == WRITERS)
        began_s = time.monotonic()
        assert rest.get("/tenants").status_code == 200
        assert rest.get("/cluster").status_code == 200
        assert time.monotonic() - began_s < LIMIT_S
        outcomes = [it.result() for it in asked]
    # Those that wrote are left in the dark; those that never came to it know that they did not.
    assert sorted(set(outcomes)) == [0, 503]
    assert outcomes.count(0) == WRITERS


def _outcome(rest: RestClient, path: str) -> int:
    try:
        return rest.post(path).status_code
    except requests.ConnectionError:
        return 0


def test_a_database_that_is_down_is_said_at_once_and_forgotten_at_once(node, rest, database, name):
    clients = [another(rest) for _ in range(6)]
    assert all(client.get("/tenants").ok for client in clients)
    node.postgres.stop("immediate")
    began_s = time.monotonic()
    for client in clients:
        answer = client.get("/tenants")
        assert (answer.status_code, answer.json()["error_code"]) == (503, "service_unavailable")
    assert time.monotonic() - began_s < 2
    node.postgres.start(standby=False)
    # All connections in the pool are dead by now, and nobody gets to feel it.
    assert all(client.get("/tenants").ok for client in clients)
    assert all(client.post(f"/tenants/{name}-{n}").ok for n, client in enumerate(clients))


def test_the_cluster_can_be_looked_at_without_the_database(node, rest, database):
    """As while a node joins: its database is replaced, and the client goes on asking how far it is."""
    assert rest.get("/user").ok
    node.postgres.stop("immediate")
    answer = rest.get("/cluster?_include=logs,initialized,error")
    assert (answer.status_code, answer.json()["initialized"]) == (200, False)
    wrong = rest.as_user("admin", "wrong").get("/cluster")
    assert wrong.status_code == 503


def test_a_database_that_takes_no_writes(node, rest, database, name):
    node.postgres.set_read_only(read_only=True)
    answer = rest.post(f"/tenants/{name}")
    assert (answer.status_code, answer.json()["error_code"]) == (503, "service_unavailable")
    assert rest.get("/tenants").ok


def test_a_leader_that_stops_leading_meanwhile_sends_its_clients_on(node, rest, database):
    def lead(*, serving: bool) -> None:
        state = LeaseState(member=True, serving=serving, valid_until_s=clock.now_s() + 60)
        lease_file.write(node.config.paths.lease_file, state)

    lead(serving=True)
    try:
        node.postgres.stop("immediate")
        later = threading.Timer(0.2, lead, kwargs={"serving": False})
        later.start()
        answer = rest.get("/tenants")
        later.join()
        assert (answer.status_code, answer.json()["error_code"]) == (400, "not_cluster_master")
    finally:
        node.config.paths.lease_file.unlink()


def test_a_new_certificate_is_taken_up_without_a_restart(node):
    """A manager that joins gets one of the cluster's CA; its service goes on running."""
    process = node.start_process()
    try:
        assert node.client().get("/api/version").ok
        other = node.folder / "other-ca"
        pki.ensure_ca(other)
        pki.install_ca(node.config.paths.ssl, pki.read_ca(other))
        pki.issue(node.config, "n2")
        eventually(lambda: _trusted(node), 30, "the new certificate is shown")
    finally:
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM


def test_who_does_not_say_good_bye_does_not_keep_a_service_from_ending(node):
    process = node.start_process()
    tls = ssl.create_default_context(cafile=node.config.paths.ssl / "ca.pem")
    address = (node.config.host_ip, node.config.ports.rest)
    with (
        socket.create_connection(address) as plain,
        tls.wrap_socket(plain, server_hostname=address[0]) as client,
    ):
        client.sendall(b"GET /api/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        # The answer is there: now the server has closed its side, and waits for the client to do the same.
        while client.recv(1 << 16):
            pass
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM


def _trusted(node: ManagerNode) -> bool:
    try:
        return node.client().get("/api/version").ok
    except requests.exceptions.SSLError:
        return False
