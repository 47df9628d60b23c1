"""``cfy_manager certificates list`` reads the files, and needs no service of the node."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from cli.cfy_manager import main
from orchestrator.clients import ssh_files
from orchestrator.config import load
from orchestrator.formation import pki


@pytest.fixture
def config(tmp_path):
    paths = "".join(f'{name} = "{tmp_path / name}"\n' for name in ("etc", "state", "run", "log"))
    (tmp_path / "m.toml").write_text(f'host_ip = "127.0.0.1"\n[paths]\n{paths}[ports]\nrest = 1\n')
    config = load(tmp_path / "m.toml")
    pki.ensure_ca(config.paths.ssl)
    pki.issue(config, "n1")
    ssh_files.prepare(config)
    return config


@pytest.fixture
def cfy_manager(tmp_path, config):
    return lambda *words: CliRunner().invoke(main, ["--config-file", str(tmp_path / "m.toml"), *words])


def test_all_are_listed_while_nothing_runs(cfy_manager):
    told = cfy_manager("certificates", "list", "--json")
    assert told.exit_code == 0, told.output
    rows = {row["name"]: row for row in json.loads(told.stdout)["certificates"]}
    assert list(rows) == ["ca", "node", "postgres", "ssh-host", "ssh-member"]
    assert rows["postgres"]["services"] == {"postgresql": "does not answer"}


def test_one_is_told_in_full(cfy_manager):
    told = cfy_manager("certificates", "list", "node")
    assert "Cloudify internal CA" in told.stdout
    assert "127.0.0.1" in told.stdout
    unknown = cfy_manager("certificates", "list", "rest")
    assert unknown.exit_code == 1
    assert "There is: ca, node, postgres" in unknown.stderr


def test_what_has_ended_stands_out(cfy_manager, config):
    pki.issue(config, "n1", ("node",), timedelta(days=-2))
    told = cfy_manager("certificates", "list")
    assert told.exit_code == 0
    assert "The certificate node ENDED on" in told.stderr
    assert "cfy_manager certificates renew" in told.stderr


def test_no_private_key_is_shown(cfy_manager, config):
    secrets = [pair.key for pair in pki.read_leaves(config).values()] + [pki.read_ca(config.paths.ssl).key]
    told = cfy_manager("certificates", "list", "--json").output
    assert not [key for key in secrets if key.splitlines()[1] in told]
