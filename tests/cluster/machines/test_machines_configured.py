"""``cfy_manager configure`` on members of a cluster, one after the other, while clients write."""

from __future__ import annotations

import json

from tests.cluster.machines.managers import BIN


def configure(node, *words, check=True):
    return node.run(f"{BIN}/cfy_manager", "--json", "configure", *words, timeout_s=300, check=check)


def test_a_setting_is_changed_on_all_members_without_a_failover(managers, traffic):
    leader = managers.leader()
    for node in [each for each in managers.bed if each is not leader]:
        told = json.loads(configure(node, "--set", "files.sweep_every_s=45").stdout)
        assert "handler-runner" in told["services"]
        assert told["restarted"]
        assert managers.whole() is leader
    refused = configure(leader, "--set", "files.sweep_every_s=45", check=False)
    assert refused.returncode == 1
    assert "This node leads its cluster" in refused.stderr
    assert "sweep_every_s" not in leader.read("/etc/cloudify/manager.toml")

    told = json.loads(configure(leader, "--set", "logins.lock_s=300").stdout)
    assert told["services"] == ["restservice"]
    assert managers.whole() is leader
    traffic.flows()
    traffic.was_kept()


def test_what_the_members_know_of_each_other_cannot_be_changed_by_one_of_them(managers):
    node = managers.leader()
    before = node.read("/etc/cloudify/manager.toml")
    refused = configure(node, "--host-ip", "127.0.0.1", "--set", "ports.ssh=8304", check=False)
    assert refused.returncode == 1
    for key in ("host_ip", "ports.ssh"):
        assert f"{key}: " in refused.stderr
    assert "cannot be changed in a cluster" in refused.stderr
    assert node.read("/etc/cloudify/manager.toml") == before


def test_a_public_address_gets_into_the_certificate_and_the_other_members_know_it(managers):
    node = next(each for each in managers.bed if each is not managers.leader())
    told = json.loads(configure(node, "--public-ip", "manager.example").stdout)
    assert any("New certificates" in note for note in told["notes"])
    text = node.run("openssl", "x509", "-noout", "-text", "-in", "/etc/cloudify/cluster-ssl/node.pem").stdout
    assert "DNS:manager.example" in text
    managers.whole()
    assert {each["name"]: each["public_ip"] for each in managers.members()}[node.name] == "manager.example"
    again = json.loads(configure(node, "--public-ip", "manager.example").stdout)
    assert (again["changes"], again["services"]) == ({}, [])
    configure(node, "--unset", "public_ip")
    managers.whole()
