"""A manager's certificates are renewed while it leads a cluster: all of its servers are real."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
import requests
from click.testing import CliRunner
from cryptography import x509
from redis import Redis

from cli.cfy_manager import main
from demo.bed import Bed
from orchestrator import wiring
from orchestrator.clients import shown
from orchestrator.clients.postgres.connection import Connection
from orchestrator.formation import broker, pki, renewing, start
from orchestrator.formation.renewing import Renewal
from orchestrator.formation.start import StartRequest
from orchestrator.model.errors import ConsulUnavailable
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

SERVICES = (shown.CONSUL, shown.POSTGRESQL, shown.REST, shown.BROKER)
SOON_S = 60


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    with Bed(tmp_path_factory.mktemp("certificates"), ["n1"]) as bed:
        bed.start()
        node = bed["n1"]
        clients = wiring.clients_of(node.config, "n1")
        start.start(clients, StartRequest(node.host_ip, "n1", {}), print)
        eventually(lambda: "broker" in clients.services.running(), SOON_S, "n1 leads")
        eventually(lambda: all(serials(clients.config).values()), SOON_S, "all services answer")
        yield clients


@pytest.fixture
def cfy_manager(clients):
    """Runs a command that is expected to succeed, and gives its JSON."""
    file = clients.config.paths.etc / "manager.toml"

    def run(*words):
        result = CliRunner().invoke(main, ["--config-file", str(file), *words, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def serials(config):
    """The serial number that each service shows to whoever connects now; None where nobody answers."""
    served = {service: shown.shown_by(config, service) for service in SERVICES}
    return {
        service: found and x509.load_der_x509_certificate(found).serial_number
        for service, found in served.items()
    }


def server_lives(clients):
    """What a restart of a server or the loss of the lease would change."""
    config = clients.config
    connection = Connection(f"host={config.paths.run} port={config.ports.postgres} user=postgres")
    try:
        began = connection.query("SELECT pg_postmaster_start_time()::text", timeout_s=10)
    finally:
        connection.close()
    lease = clients.consul.read_lease()
    return clients.services.pids(), began, lease.term, lease.session


def tls(config):
    return ssl.create_default_context(cafile=config.paths.ssl / "ca.pem")


def is_well(config, cfy_manager):
    """Who trusts the CA trusts every service, and nothing is warned of."""
    with socket.create_connection((config.host_ip, config.ports.rest)) as plain:
        tls(config).wrap_socket(plain, server_hostname=config.host_ip).close()
    eventually(wiring.clients_of(config, "n1").consul.ready, SOON_S, "Consul answers")
    assert cfy_manager("status")["warnings"] == []


@contextmanager
def held(config) -> Iterator[list]:
    """Connections to all services that were made before; each item asks something on one of them."""
    ca = str(config.paths.ssl / "ca.pem")
    with ExitStack() as stack:
        rest = stack.enter_context(requests.Session())
        url = f"https://{config.host_ip}:{config.ports.rest}/api/version"
        redis = Redis(
            config.host_ip,
            config.ports.broker,
            password=broker.read_password(config),
            ssl=True,
            ssl_ca_certs=ca,
            single_connection_client=True,
        )
        stack.callback(redis.close)
        consul = wiring.clients_of(config, "n1").consul
        yield [
            lambda: rest.get(url, verify=ca, timeout=10).raise_for_status(),
            redis.ping,
            consul.read_lease,
        ]


def test_all_services_show_new_certificates_and_nothing_is_interrupted(clients, cfy_manager):
    before, lives = serials(clients.config), server_lives(clients)
    with held(clients.config) as connections:
        for ask in connections:
            ask()
        told = cfy_manager("certificates", "renew")
        assert told["troubles"] == []
        for ask in connections:
            ask()
    after = serials(clients.config)
    assert not set(after.values()) & set(before.values())
    assert len(set(after.values())) == 2, "the database has a pair of its own"
    assert server_lives(clients) == lives
    assert clients.consul.ready()


def test_only_what_is_named_or_ends_soon_is_renewed(clients, cfy_manager):
    before = serials(clients.config)
    assert cfy_manager("certificates", "renew", "--within", "30")["certificates"] == []
    assert cfy_manager("certificates", "renew", "--dry-run")["certificates"] == ["node", "postgres"]
    assert serials(clients.config) == before
    assert cfy_manager("certificates", "renew", "--only", "postgres")["certificates"] == ["postgres"]
    changed = {service for service, serial in serials(clients.config).items() if serial != before[service]}
    assert changed == {shown.POSTGRESQL}


def test_when_all_have_ended_a_renewal_makes_the_node_well(clients, cfy_manager):
    config = clients.config
    pki.issue(config, "n1", life=timedelta(seconds=-1))
    clients.postgres.reload()
    for service in ("consul", "restservice", "broker"):
        clients.services.restart(service)
    eventually(lambda: all(serials(config).values()), SOON_S, "the services show what has ended")
    with (
        pytest.raises(ssl.SSLCertVerificationError, match="expired"),
        socket.create_connection((config.host_ip, config.ports.rest)) as plain,
    ):
        tls(config).wrap_socket(plain, server_hostname=config.host_ip)
    with pytest.raises(ConsulUnavailable, match="expired"):
        wiring.clients_of(config, "n1").consul.read_lease()
    assert any("ENDED" in warning for warning in cfy_manager("status")["warnings"])

    processes = clients.services.pids()
    assert cfy_manager("certificates", "renew")["troubles"] == []

    is_well(config, cfy_manager)
    assert clients.services.pids() == processes, "nothing had to be restarted for it"


def test_when_the_ca_has_ended_as_well_it_gets_a_new_end(clients, cfy_manager):
    config = clients.config
    pki.prolong_ca(config.paths.ssl, timedelta(seconds=2))
    renewing.renew(clients, Renewal())
    eventually(lambda: "ENDED" in str(cfy_manager("status")["warnings"]), SOON_S, "all has ended")

    told = cfy_manager("certificates", "renew", "--ca")

    assert (told["certificates"], told["troubles"]) == (["ca", "node", "postgres"], [])
    is_well(config, cfy_manager)


def test_the_list_tells_what_each_is_for_and_whether_it_is_in_use(cfy_manager):
    told = {row["name"]: row for row in cfy_manager("certificates", "list")["certificates"]}
    assert told["node"]["services"] == dict.fromkeys(("consul", "restservice", "broker"), "in use")
    assert told["postgres"]["services"] == {"postgresql": "in use"}
    assert told["node"]["subject"] == "n1"
    assert told["node"]["days_left"] == 824
    assert told["ssh-host"]["state"] == "ends never"
