"""``cfy_manager`` against a real Redis and a real worker, whose tasks are those of a stub."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import waiting
from cli.cfy_manager import main
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

STUB = Path(__file__).parents[2] / "support" / "node_stub.py"


@pytest.fixture(scope="module")
def folder():
    path = Path(tempfile.mkdtemp(prefix="node-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def redis(folder):
    socket = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        eventually(socket.exists, 30, "redis listens")
        yield
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def worker(folder, redis):
    process = subprocess.Popen([sys.executable, str(STUB), str(folder)])
    config = _config(folder)

    def answers():
        return CliRunner().invoke(main, ["--config-file", str(config), "status"]).exit_code == 0

    try:
        eventually(answers, 60, "the worker answers")
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def cfy_manager(folder, monkeypatch):
    monkeypatch.setenv("CLOUDIFY_CONFIG", str(_config(folder)))
    monkeypatch.setattr(waiting, "POLL_INTERVAL_S", 0.02)
    return lambda *args: CliRunner().invoke(main, args)


def _config(folder):
    config = folder / "manager.toml"
    config.write_text(f'host_ip = "127.94.9.1"\n[paths]\nrun = "{folder}"\n')
    return config


@pytest.fixture
def alone(folder):
    (folder / "node.json").unlink(missing_ok=True)


def test_start(cfy_manager, worker, alone):
    result = cfy_manager("cluster", "start", "--cluster-node-name", "n1")
    assert result.exit_code == 0, result.output
    assert "Making the internal CA" in result.stderr
    assert "n1 leads at 127.94.9.1" in result.stderr
    assert "n1 leads it" in result.stdout
    again = cfy_manager("cluster", "start")
    assert again.exit_code == 1
    assert "already belongs to a cluster" in again.stderr


def test_a_refusal_comes_with_the_node_s_words(cfy_manager, worker, alone):
    result = cfy_manager("cluster", "start", "--options", "colour=red")
    assert result.exit_code == 1
    assert "no node option 'colour'" in result.stderr
    result = cfy_manager("cluster", "remove", "n9")
    assert result.exit_code == 1
    assert "There is no node n9" in result.stderr


def test_pause_and_resume(cfy_manager, worker, alone):
    assert cfy_manager("cluster", "pause").exit_code == 0
    assert json.loads(cfy_manager("status", "--json").stdout)["paused"] is True
    assert cfy_manager("cluster", "resume").exit_code == 0
    assert "paused" in cfy_manager("status").stdout


def test_plan_and_history(cfy_manager, worker):
    assert "Keep the slots of n2" in cfy_manager("cluster", "plan").stdout
    assert len(json.loads(cfy_manager("cluster", "history", "-n", "3", "--json").stdout)) == 3


def test_a_node_that_does_not_run(cfy_manager, tmp_path):
    config = tmp_path / "manager.toml"
    config.write_text(f'[paths]\nrun = "{tmp_path}"\n')
    result = cfy_manager("--config-file", str(config), "status")
    assert result.exit_code == 3
    assert str(tmp_path / "redis.sock") in result.stderr


def test_a_worker_that_does_not_run(cfy_manager, redis, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("cli.machine.node.ANSWER_TIMEOUT_S", 0.2)
    # The queue is one that no worker of this module listens to.
    monkeypatch.setattr("cli.machine.node.QUICK_QUEUE", "nobody")
    result = cfy_manager("status")
    assert result.exit_code == 3
    assert "does not answer" in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[ports]\nrest = 70000\n", "ports.rest"),
        ("colour = 1\n", "there is no such setting; allowed here: api_host"),
        ("host_ip =\n", "is not valid TOML"),
    ],
)
def test_a_configuration_with_a_mistake(cfy_manager, tmp_path, content, said):
    file = tmp_path / "manager.toml"
    file.write_text(content)
    result = cfy_manager("validate-config", str(file))
    assert result.exit_code == 1
    assert str(file) in result.stderr
    assert said in result.stderr


def test_a_configuration_in_order(cfy_manager):
    assert cfy_manager("validate-config").exit_code == 0


def test_no_configuration(cfy_manager, tmp_path):
    result = cfy_manager("--config-file", str(tmp_path / "none.toml"), "status")
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr


def test_a_load_balancer_is_configured_for_the_members(cfy_manager, worker, alone, folder):
    written = folder / "haproxy.cfg"
    command = ("haproxy", "--username", "eye", "--password", "secret", "-o", str(written))
    refused = cfy_manager(*command)
    assert refused.exit_code == 1
    assert "in no cluster" in refused.stderr
    assert not written.exists()

    cfy_manager("cluster", "start", "--cluster-node-name", "n1")
    result = cfy_manager(*command)
    assert result.exit_code == 0, result.output
    assert "balances n1, n2" in result.stdout
    assert "/etc/cluster-ssl/ca.pem" in result.stdout
    assert written.stat().st_mode & 0o777 == 0o600
    assert "server n2 [fd00::2]:8443" in written.read_text()
    assert cfy_manager(*command[:-2]).stdout.strip() == written.read_text().strip()
