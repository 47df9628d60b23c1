from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.support.addresses import network
from tests.support.consul import ConsulServers, Guard
from tests.support.waiting import eventually

NETWORK = network(91)


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("consul")
    with ConsulServers(folder, [f"{NETWORK}.{host}" for host in (1, 2, 3)]) as servers:
        yield servers


@pytest.fixture
def cluster(servers):
    """Three servers that agree, without keys or sessions."""
    eventually(servers.complete, 30, "the servers agree again")
    library = servers[0].client._api
    for session in library.session.list()[1]:
        library.session.destroy(session["ID"])
    library.kv.delete("", recurse=True)
    for server in servers:
        agent = server.client._api.agent
        for check in agent.checks():
            agent.check.deregister(check)
    return servers


@pytest.fixture
def guards(servers):
    """What answers where the guards of the three nodes would."""
    with ExitStack() as stack:
        guards = [Guard(server.config) for server in servers]
        for guard in guards:
            stack.callback(guard.close)
        yield guards


@pytest.fixture
def lead(cluster, guards):
    """Makes a node's checks pass and gives it a session: ``lead(place, ttl_s)``."""

    def make(place: int = 0, ttl_s: float = 30.0):
        client = cluster[place].client
        client.register_checks(ttl_s)

        def passing():
            client.pass_check("heartbeat")
            return {"heartbeat", "guard", "consul"} <= client.health().get(client.me, frozenset())

        eventually(passing, 30, "the checks pass")
        return client, client.create_session()

    return make
