from __future__ import annotations

from orchestrator.clients import consul_agent
from orchestrator.clients.consul.checks import guard_check
from orchestrator.clients.consul_agent import AgentSettings
from orchestrator.config import NodeConfig

CONFIG = NodeConfig(host_ip="10.0.0.1")
KEY = "c2VjcmV0"
SETTINGS = AgentSettings("n1", KEY, join=("10.0.0.2", "fd00::3"), raft_multiplier=3)
OLD, NEW, NEWEST = (1, 8, 7), (1, 12, 0), (1, 18, 2)


def test_both_sides_of_every_connection_show_a_certificate():
    flat = consul_agent.configuration(CONFIG, SETTINGS, OLD)
    assert flat["verify_incoming"]
    assert flat["verify_outgoing"]
    assert flat["verify_server_hostname"]
    stanza = consul_agent.configuration(CONFIG, SETTINGS, NEW)
    assert "verify_incoming" not in stanza
    assert stanza["tls"]["defaults"]["verify_incoming"]
    assert stanza["tls"]["internal_rpc"]["verify_server_hostname"]


def test_only_the_founder_makes_a_cluster_of_its_own():
    founder = AgentSettings("n1", KEY, founder=True)
    assert consul_agent.configuration(CONFIG, founder, OLD)["bootstrap_expect"] == 1
    assert "bootstrap_expect" not in consul_agent.configuration(CONFIG, SETTINGS, OLD)


def test_only_encrypted_ports_are_open():
    ports = consul_agent.configuration(CONFIG, SETTINGS, NEWEST)["ports"]
    open_ports = {name for name, port in ports.items() if port > 0}
    assert open_ports == {"server", "serf_lan", "https"}
    assert ports["grpc_tls"] == -1
    assert "grpc_tls" not in consul_agent.configuration(CONFIG, SETTINGS, OLD)["ports"]


def test_options_and_addresses_are_taken_over():
    configuration = consul_agent.configuration(CONFIG, SETTINGS, OLD)
    assert configuration["performance"]["raft_multiplier"] == 3
    assert configuration["retry_join"] == ["10.0.0.2:8301", "[fd00::3]:8301"]


def test_the_gossip_key_is_not_shown():
    assert KEY not in repr(SETTINGS)


def test_the_check_of_the_guard_is_the_one_that_a_node_registers_and_begins_as_passing():
    """Another one would be registered anew, and end the leader's session."""
    (check,) = consul_agent.configuration(CONFIG, SETTINGS, OLD)["checks"]
    definition = guard_check(CONFIG)
    assert check == {
        "id": "guard",
        "name": "guard",
        "status": "passing",
        "notes": str(definition),
        **definition,
    }
