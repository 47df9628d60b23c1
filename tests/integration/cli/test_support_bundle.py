"""``cfy_manager logs bundle`` of a node with real keys and passwords, none of whose services runs."""

from __future__ import annotations

import base64
import json
import tarfile

import pytest
from click.testing import CliRunner

from cli.cfy_manager import main
from cli.machine import bundle_parts
from manager.models import Token, User
from manager.passwords import Passwords
from orchestrator.clients import consul_agent, ssh_files
from orchestrator.clients.consul_agent import AgentSettings
from orchestrator.config import NodeConfig
from orchestrator.formation import broker, pki
from orchestrator.paths import Paths

pytestmark = pytest.mark.integration

CERTIFICATES = ("cluster-ssl/ca.pem", "cluster-ssl/node.pem")
PASSWORD = "what only admin knows"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A node's folders as an installation and a cluster leave them."""
    folder = tmp_path_factory.mktemp("node")
    paths = Paths(etc=folder / "etc", state=folder / "state", run=folder / "run", log=folder / "log")
    config = NodeConfig(paths=paths)
    for each in (paths.etc, paths.state, paths.run, paths.log / "postgres"):
        each.mkdir(parents=True)
    places = "\n".join(f'{name} = "{path}"' for name, path in paths.model_dump().items())
    (paths.etc / "manager.toml").write_text(f"[paths]\n{places}\n")
    (paths.etc / "admin_password").write_text(PASSWORD.replace(" ", "-") + "\n")
    pki.ensure_ca(paths.ssl)
    pki.issue(config, "n1")
    ssh_files.prepare(config)
    broker.ensure(config)
    gossip_key = consul_agent.new_gossip_key()
    consul_agent.write(config, AgentSettings("n1", gossip_key))
    (paths.consul_data / "serf").mkdir()
    (paths.consul_data / "serf" / "local.keyring").write_text(json.dumps([gossip_key]))
    return config


@pytest.fixture(scope="module")
def secrets(config):
    """Each secret of this node, and of its users, as it would look in a log."""
    paths, token = config.paths, Token.fresh(User(id=1))
    keys = [path for path in paths.etc.rglob("*key") if path.suffix != ".pub"]
    assert len(keys) >= 5
    lines = [line for key in keys for line in key.read_text().splitlines() if "-----" not in line]
    basic = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    return {
        *lines,
        broker.read_password(config),
        consul_agent.read_gossip_key(config),
        PASSWORD.replace(" ", "-"),
        basic,
        token.value,
        token.secret,
        Passwords().hash(PASSWORD),
    }


@pytest.fixture
def planted(config, secrets):
    """The same, planted into whatever a bundle takes up."""
    told = [
        f"it was {'Basic ' if secret.startswith('YWRt') else ''}{secret} that slipped" for secret in secrets
    ]
    text = "".join(f"2026-11-23 10:00:00.000 ERROR {sentence}\n" for sentence in told)
    log = config.paths.log
    files = [log / "cloudify-cluster.log", log / "restservice.log", log / "postgres" / "postgresql-Mon.log"]
    for file in files:
        file.write_text(text)
    state = config.paths.state / "promise.json"
    state.write_text(json.dumps({"notes": told}))
    yield
    for file in [*files, state]:
        file.unlink()


def bundle(config, tmp_path, *words):
    file = tmp_path / "bundle.tar.gz"
    config_file = config.paths.etc / "manager.toml"
    result = CliRunner().invoke(
        main, ["--config-file", str(config_file), "--json", "logs", "bundle", "-o", str(file), *words]
    )
    assert result.exit_code == 0, result.output
    with tarfile.open(file) as packed:
        members = {it.name.partition("/")[2]: packed.extractfile(it).read().decode() for it in packed}
    return json.loads(result.stdout), members


def test_no_secret_of_the_node_is_in_the_bundle(config, secrets, planted, tmp_path):
    _, members = bundle(config, tmp_path)
    assert "slipped" in members["logs/cloudify-cluster.log"]
    for name, text in members.items():
        assert [secret for secret in secrets if secret in text] == [], name


def test_what_support_needs_is_there_also_when_nothing_runs(config, planted, tmp_path):
    told, members = bundle(config, tmp_path)
    wanted = {
        *("configuration/manager.toml", "configuration/broker.conf", "configuration/consul/agent.json"),
        *(f"configuration/{name}" for name in CERTIFICATES),
        *("machine/disk.txt", "machine/memory.txt", "versions/python.txt", "versions/consul.txt"),
        *("state/promise.json", "logs/restservice.log", "logs/postgres/postgresql-Mon.log", "manifest.json"),
    }
    assert wanted <= set(members)
    assert "PRIVATE KEY" not in "".join(members.values())
    for part, reason in (("node", "task queue"), ("consul", "did not answer"), ("postgresql", "connection")):
        assert reason in told["missing"][part]
        assert reason in json.loads(members["manifest.json"])["missing"][part]


def test_a_command_that_hangs_is_given_up_and_named(config, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle_parts, "COMMAND_TIMEOUT_S", 0.2)
    monkeypatch.setitem(bundle_parts.MACHINE, "disk", ("sleep", "60"))
    told, members = bundle(config, tmp_path)
    assert "disk.txt: sleep did not end within" in told["missing"]["machine"]
    assert "machine/kernel.txt" in members


def test_a_configuration_that_cannot_be_read_is_itself_in_the_bundle(config, tmp_path):
    good = (config.paths.etc / "manager.toml").read_text()
    broken = tmp_path / "broken.toml"
    broken.write_text(good + "\n[paths\n")
    result = CliRunner().invoke(
        main, ["--config-file", str(broken), "logs", "bundle", "-o", str(tmp_path / "b.tar.gz")]
    )
    assert result.exit_code == 0, result.output
    with tarfile.open(tmp_path / "b.tar.gz") as packed:
        names = [it.name for it in packed]
    assert any(name.endswith("configuration/broken.toml") for name in names)


def test_it_is_for_its_owner_only_and_replaces_nothing(config, tmp_path):
    bundle(config, tmp_path)
    assert (tmp_path / "bundle.tar.gz").stat().st_mode & 0o777 == 0o600
    again = CliRunner().invoke(main, ["logs", "bundle", "-o", str(tmp_path / "bundle.tar.gz")])
    assert again.exit_code == 1
    assert "exists already" in again.stderr


def test_a_place_that_cannot_be_written_is_told(config, tmp_path):
    result = CliRunner().invoke(main, ["logs", "bundle", "-o", str(tmp_path / "none" / "b.tar.gz")])
    assert result.exit_code == 1
    assert "could not be written: No such file" in result.stderr
