"""What the client does when Consul does not: nothing hangs, and nothing unknown is taken for known."""

from __future__ import annotations

import signal
import socket
import ssl
import time
from contextlib import contextmanager

import pytest
import requests

from orchestrator.model.errors import ConsulUnavailable
from tests.support.consul import ConsulServers
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

# The bound of a request, and room for a busy machine.
BOUND_S = 1.5 + 2.0


@contextmanager
def frozen(*servers):
    for server in servers:
        server.signal(signal.SIGSTOP)
    eventually(lambda: all(server.is_stopped() for server in servers), 30, "they stand still")
    try:
        yield
    finally:
        for server in servers:
            server.signal(signal.SIGCONT)


def refuses_in_time(ask):
    began_s = time.monotonic()
    with pytest.raises(ConsulUnavailable):
        ask()
    return time.monotonic() - began_s < BOUND_S


def refuses(ask):
    try:
        ask()
    except ConsulUnavailable:
        return True
    return False


def test_a_frozen_agent_is_given_up_on(cluster):
    known, fresh = cluster[2].client, cluster[2].client
    known.view()
    with frozen(cluster[2]):
        assert refuses_in_time(known.view)
        assert refuses_in_time(fresh.view)
        assert refuses_in_time(lambda: fresh.pass_check("heartbeat"))
        assert not fresh.ready()


def test_there_is_one_bound_for_all_that_is_asked_within_it(cluster):
    client = cluster[0].client
    with client.within(0.5):
        eventually(lambda: refuses(client.view), 30, "the time for all of it is over")
    client.view()


def test_a_server_without_majority_confirms_nothing(cluster):
    client = cluster[0].client
    client.set_paused(True)
    with frozen(cluster[1], cluster[2]):
        # A heartbeat that was answered just before may still confirm a read that was asked for just after.
        eventually(lambda: refuses(client.read_lease), 30, "no read is confirmed any more")
        assert refuses_in_time(client.read_lease)
        assert refuses_in_time(client.view)
        assert refuses_in_time(lambda: client.set_paused(False))


def test_nothing_of_a_dead_node_passes(lead, cluster):
    client, session = lead(2)
    client.acquire_lease(session)
    other = cluster[0].client
    with frozen(cluster[2]):
        eventually(lambda: other.health().get("n3") == frozenset(), 25, "n3 is found dead")
        eventually(lambda: other.read_lease().free, 25, "the lease of n3 is free")
        assert "n3" not in other.alive_agents()


@pytest.mark.parametrize("check", ["guard", "heartbeat"])
def test_what_the_servers_have_missed_is_told_again(lead, cluster, check):
    client, _ = lead(0)
    believe_failing(cluster[1].client, client.me, cluster[0].config.host_ip, check)
    with pytest.raises(ConsulUnavailable, match=f"Check '{check}' is in critical state"):
        client.create_session()
    client.tell_servers_again(frozenset({check}))
    eventually(lambda: check in client.health()[client.me], 25, "the servers know that it passes")
    assert client.create_session()


def test_a_check_that_fails_is_not_told_as_passing(lead, cluster, guards):
    client, _ = lead(0)
    guards[0].close()
    agent = client._api.agent
    eventually(lambda: agent.checks()["guard"]["Status"] == "critical", 25, "the agent sees the guard fail")
    client.tell_servers_again(frozenset({"guard"}))
    assert agent.checks()["guard"]["Status"] == "critical"
    eventually(lambda: "guard" not in client.health()[client.me], 25, "the servers know that it fails")


def believe_failing(client, node, host_ip, check):
    """Have the servers believe that a check of a node fails, as when the news that it passes was lost."""
    stale = {"Node": node, "CheckID": check, "Name": check, "Status": "critical"}
    client._api.catalog.register(node, host_ip, check=stale)
    eventually(lambda: check not in client.health()[node], 25, "the servers believe that it fails")


def test_no_agent_at_all(cluster):
    client = cluster[0].client
    config = cluster[0].config.model_copy(update={"api_host": "127.91.255.254"})
    stranger = type(client)(config, "n1")
    with pytest.raises(ConsulUnavailable):
        stranger.view()


def test_a_node_without_certificates_is_told_so(cluster, tmp_path):
    config = cluster[0].config
    paths = config.paths.model_copy(update={"etc": tmp_path})
    with pytest.raises(ConsulUnavailable):
        type(cluster[0].client)(config.model_copy(update={"paths": paths}), "n1").view()


def test_a_client_without_certificate_is_refused(cluster):
    config = cluster[0].config
    url = f"https://{config.api_host}:{config.ports.consul_api}/v1/status/leader"
    with pytest.raises(requests.RequestException):
        requests.get(url, verify=str(config.paths.ssl / "ca.pem"), timeout=5)
    assert requests.get(
        url,
        verify=str(config.paths.ssl / "ca.pem"),
        cert=(str(config.paths.ssl / "node.pem"), str(config.paths.ssl / "node.key")),
        timeout=5,
    ).ok


def test_servers_speak_tls_only_and_nothing_listens_for_plain_http(cluster):
    config = cluster[0].config
    with socket.create_connection((config.host_ip, config.ports.consul_server), timeout=5) as plain:
        plain.sendall(b"\x03")  # Consul's byte for "TLS follows"
        context = ssl.create_default_context(cafile=str(config.paths.ssl / "ca.pem"))
        with pytest.raises(ssl.SSLError):
            # TLS 1.3 tells a client without a certificate only when it reads.
            context.wrap_socket(plain, server_hostname="server.dc1.consul").recv(1)


def test_a_node_leaves_and_another_is_removed(tmp_path_factory, cluster):
    network = cluster[0].config.host_ip.rpartition(".")[0]
    folder = tmp_path_factory.mktemp("leaving")
    with ConsulServers(folder, [f"{network}.{host}" for host in (11, 12, 13)]) as servers:
        first, second, third = servers
        third.stop()
        eventually(lambda: "n3" not in first.client.alive_agents(), 25, "n3 is found dead")
        assert len(first.client.voters()) == 3
        for _ in range(2):  # Whoever takes a node out may be killed half-way, and do it again.
            first.client.force_leave("n3")
            first.client.remove_raft_peer(third.config.host_ip)
        assert len(first.client.voters()) == 2
        first.client.force_leave("n7")

        second.client.leave()
        assert second.process.wait(10) == 0
        eventually(lambda: len(first.client.voters()) == 1, 25, "n2 has no vote")
        assert first.client.ready()
        assert first.client.consul_leader() == f"{first.config.host_ip}:8300"
