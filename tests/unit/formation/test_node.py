from __future__ import annotations

import stat

import pytest

from orchestrator.clients import ssh_files
from orchestrator.formation import broker, node, pki
from orchestrator.record import membership


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_preparing_again_changes_nothing(clients):
    before = contents(clients.config.paths.etc)
    node.prepare(clients.config)
    assert contents(clients.config.paths.etc) == before


def test_a_manager_that_is_alone_has_a_certificate_for_its_address(clients):
    assert pki.issued_for(clients.config.paths.ssl) == "127.0.0.1"


def test_secrets_are_for_their_owner_only(clients):
    config = clients.config
    secrets = [
        broker.password_file(config),
        config.paths.etc / "broker.conf",
        config.paths.ssh / ssh_files.HOST_KEY,
    ]
    assert [mode(path) for path in secrets] == [0o600] * 3
    assert mode(config.paths.run) == 0o700
    assert mode(config.paths.files) == 0o700


def test_others_can_pass_but_not_look(clients):
    paths = clients.config.paths
    assert [mode(folder) for folder in (paths.etc, paths.state, paths.ssl)] == [0o711] * 3


def test_the_broker_speaks_tls_only_and_asks_for_the_password(clients):
    lines = (clients.config.paths.etc / "broker.conf").read_text().splitlines()
    settings = dict(line.split(" ", 1) for line in lines)
    assert settings["port"] == "0"
    assert settings["tls-port"] == "6379"
    assert settings["requirepass"] == broker.read_password(clients.config)
    assert len(broker.read_password(clients.config)) >= 32


def test_a_membership_that_cannot_be_read_is_not_taken_for_none(tmp_path):
    path = tmp_path / "membership.json"
    for text in ("", "{}", "[]", '{"state": "something", "name": null, "options": {}}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"membership|Expecting|something"):
            membership.read(path)
