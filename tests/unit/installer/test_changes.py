"""What another configuration means: which services are restarted, and what cannot be changed."""

from __future__ import annotations

import pytest

from installer import changes
from installer.changes import ALL, LOOP, RULES, Rule
from orchestrator.config import NodeConfig

OLD = NodeConfig(host_ip="10.0.0.1", paths={"log": "/var/log/x"})


def changed(**values):
    return changes.changes(OLD, NodeConfig.model_validate({**OLD.model_dump(), **values}))


def test_only_what_differs_is_a_change_and_is_told_with_both_values():
    found = changed(ports={**OLD.ports.model_dump(), "rest": 8443}, public_ip="manager.example")
    assert [str(change) for change in found] == [
        "ports.rest: 443 -> 8443",
        "public_ip: the default -> manager.example",
    ]
    assert changed() == []


def test_a_setting_of_postgresql_that_goes_back_to_its_default():
    with_it = NodeConfig(postgres={"settings": {"max_connections": 90}})
    [change] = changes.changes(with_it, NodeConfig())
    assert str(change) == "postgres.settings.max_connections: 90 -> the default"
    assert change.rule == Rule()


@pytest.mark.parametrize(
    ("section", "key", "value", "services"),
    [
        ("rest", "election_hold_s", 9.0, ("restservice",)),
        ("logins", "lock_s", 9.0, ("restservice",)),
        ("workflows", "max_retries", 3, ("mgmtworker",)),
        ("timing", "alone_after_s", 9.0, tuple(sorted((*LOOP, "restservice")))),
        ("ports", "rest", 8443, ALL),
        ("postgres", "settings", {"work_mem": "9MB"}, ()),
        ("postgres", "stop_timeout_s", 9.0, tuple(sorted(LOOP))),
    ],
)
def test_only_who_reads_a_setting_is_restarted(section, key, value, services):
    found = changed(**{section: {**OLD.model_dump()[section], key: value}})
    assert changes.services_of(found) == services


def test_there_is_a_rule_for_every_setting():
    for name in NodeConfig.model_fields:
        assert name in RULES or name in {key.split(".")[0] for key in RULES}, name


@pytest.mark.parametrize("key", ["host_ip", "api_host"])
def test_an_address_is_fixed_in_a_cluster_and_only_there(key):
    found = changed(**{key: "10.0.0.2"})
    refused = "\n".join(changes.complaints(found, member=True))
    assert f"{key}: " in refused
    assert "cannot be changed in a cluster" in refused
    assert "join again under another name" in refused
    assert list(changes.complaints(found, member=False)) == []


@pytest.mark.parametrize("member", [True, False])
def test_folders_stay_where_they_are(member):
    found = changed(paths={**OLD.paths.model_dump(), "state": "/elsewhere"})
    assert "paths.state: /var/lib/cloudify -> /elsewhere: cannot be changed:" in next(
        changes.complaints(found, member=member)
    )


def test_a_leader_restarts_nothing_that_could_cost_it_the_lead():
    for services in (LOOP, ("handler-runner",), ALL):
        assert "set-active ANOTHER" in next(changes.risk(services))
    assert list(changes.risk(("restservice", "mgmtworker"))) == []
