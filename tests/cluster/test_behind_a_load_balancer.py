"""Clients that know one address: a real HAProxy, configured by ``cfy_manager haproxy``."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from demo.cluster import Cluster
from demo.rest import Access
from demo.writer import Writer, check
from tests.cluster.house import WHOLE_S, House
from tests.cluster.traffic import ENOUGH_WRITES, SOON_S

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

HAPROXY = "/usr/sbin/haproxy"
LOOPBACK = "127.0.0.1"
END_S = 30


@pytest.fixture
def balanced(cluster, house, tmp_path) -> Iterator[Access]:
    """Where the balancer is, for clients that know nothing of the cluster behind it."""
    port = _free_port()
    process = subprocess.Popen(
        [HAPROXY, "-db", "-f", str(_configured(cluster, house, tmp_path, port))], stdin=subprocess.DEVNULL
    )
    try:
        yield replace(cluster.access, addresses=(LOOPBACK,), port=port)
    finally:
        process.terminate()
        process.wait(END_S)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def _configured(cluster: Cluster, house: House, folder: Path, port: int) -> Path:
    node = cluster.leader()
    ssl = node.config.paths.ssl
    front, config = folder / "front.pem", folder / "haproxy.cfg"
    # A node's certificate is valid for its loopback address as well: here it is the balancer's own.
    front.write_text((ssl / "node.pem").read_text() + (ssl / "node.key").read_text())
    written = house.cfy_manager(
        node,
        "haproxy",
        *("--username", cluster.access.username, "--password", cluster.password),
        *("--bind", f"{LOOPBACK}:{port}", "-o", str(config)),
        *("--front-certificate", str(front), "--ca-file", str(ssl / "ca.pem")),
    )
    assert written.exit_code == 0, written.text
    return config


def test_a_client_of_the_balancer_goes_on_after_a_failover_and_loses_nothing(cluster, balanced):
    old = cluster.leader()
    with Writer(balanced, interval_s=0.03, read_timeout_s=10.0) as client:
        assert client.wait_for(ENOUGH_WRITES, SOON_S), client.journal.complaint
        old.kill(include_consul=False)
        cluster.wait(lambda: cluster.leader() is not old, WHOLE_S, "nobody took over")
        assert client.wait_for(ENOUGH_WRITES, SOON_S), client.journal.complaint
        old.start()
        cluster.wait_until_whole(WHOLE_S)
        assert client.wait_for(ENOUGH_WRITES, SOON_S), client.journal.complaint
    assert check(cluster.client(), [client.journal]).lost == ()
