"""The services of a node under a real supervisord, and what becomes of them when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from orchestrator.clients import processes, ssh_files, supervisor_config, supervisord
from orchestrator.clients.programs import Program, programs
from orchestrator.clients.services import SupervisorServices
from orchestrator.config import CONFIG_VARIABLE
from orchestrator.model.errors import NotFound, ServicesUnavailable
from tests.support.addresses import network
from tests.support.sshd import node_config
from tests.support.waiting import eventually

REAL = {"redis", "sshd", "postgresql"}
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"


@pytest.fixture
def node(monkeypatch):
    """A node with some of its real programs, and one that falls over at once."""

    def few(config, *, member):
        real = [program for program in programs(config, member=member) if program.name in REAL]
        return (*real, Program("falls-over", ("/bin/false",)), Program("idle", ("/bin/sleep", "600")))

    monkeypatch.setattr(supervisor_config, "programs", few)
    with tempfile.TemporaryDirectory(prefix="cfy-") as folder:
        config = node_config(Path(folder), f"{network(92)}.3")
        config_file = config.paths.etc / "manager.toml"
        ssh_files.prepare(config)
        config_file.touch()
        try:
            yield Node(config, config_file)
        finally:
            for process in processes.of_node(config, config_file):
                processes.send(process, signal.SIGKILL)
            eventually(lambda: not processes.of_node(config, config_file), 30, "the node is gone")


class Node:
    def __init__(self, config, config_file):
        self.config, self.config_file = config, config_file
        self.services = SupervisorServices(config)

    def start(self):
        return supervisord.start(self.config, self.config_file, member=False)

    def stop(self):
        supervisord.stop(self.config, self.config_file)

    def processes(self):
        return processes.of_node(self.config, self.config_file)

    def redis(self):
        """The process id of Redis, once it has one; its program is called differently in some packages."""
        return eventually(lambda: [each.pid for each in self.processes() if "redis" in each.program])[0]


def test_what_starts_with_the_node_runs_and_the_database_does_not(node):
    assert node.start()
    assert node.services.known() == {*REAL, "falls-over", "idle"}
    eventually(lambda: {"redis", "sshd", "idle"} <= node.services.running(), 30, "services run")
    assert "postgresql" not in node.services.running()
    eventually(lambda: {"sshd", "sleep"} <= {process.program for process in node.processes()})
    assert not node.start()


def test_a_service_is_stopped_and_started(node):
    node.start()
    before = node.redis()
    node.services.stop("redis")
    assert not Path(f"/proc/{before}").exists()
    node.services.stop("redis")
    assert "redis" not in node.services.running()
    node.services.start("redis")
    node.services.start("redis")
    assert "redis" in node.services.running()
    running = node.redis()
    node.services.restart("redis")
    assert node.redis() not in {before, running}


def test_a_service_that_falls_over_does_not_hang_its_starter(node):
    node.start()
    node.services.start("falls-over")
    node.services.stop("falls-over")
    assert "falls-over" not in node.services.running()


def test_an_unknown_service_is_refused(node):
    node.start()
    with pytest.raises(NotFound, match="no service 'nonsense'"):
        node.services.start("nonsense")


def test_a_service_that_is_killed_comes_back(node):
    node.start()
    before = node.redis()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: node.redis() != before, 30, "another Redis runs")


def test_without_supervisord_the_services_are_unavailable(node):
    with pytest.raises(ServicesUnavailable):
        node.services.running()
    node.stop()


def test_a_stopped_node_leaves_no_process(node):
    node.start()
    node.stop()
    assert not node.processes()


def test_a_node_starts_again_after_its_supervisord_was_killed(node):
    node.start()
    node.redis()
    supervisor = node.services.pid()
    orphans = {process.pid for process in node.processes()} - {supervisor}
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: supervisor not in {process.pid for process in node.processes()}, 30)
    assert orphans == {process.pid for process in node.processes()}
    (node.config.paths.postgres_data).mkdir(parents=True)
    (node.config.paths.postgres_data / "postmaster.pid").write_text("1\n")
    assert node.start()
    assert not orphans & {process.pid for process in node.processes()}
    assert not (node.config.paths.postgres_data / "postmaster.pid").exists()
    eventually(lambda: "redis" in node.services.running(), 30, "redis runs")


def test_a_users_own_process_is_left_alone(node, tmp_path):
    environment = os.environ | {CONFIG_VARIABLE: str(node.config_file)}
    stranger = subprocess.Popen(["/bin/sleep", "600"], env=environment, cwd=node.config_file.parent)
    try:
        node.start()
        assert stranger.pid not in {process.pid for process in node.processes()}
        node.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_orphan_that_does_not_listen_is_killed(node):
    environment = os.environ | {CONFIG_VARIABLE: str(node.config_file), "SUPERVISOR_ENABLED": "1"}
    orphan = subprocess.Popen([sys.executable, "-c", STUBBORN], env=environment, stdout=subprocess.PIPE)
    try:
        orphan.stdout.readline()
        processes.end(node.processes, patience_s=0.3)
        assert orphan.wait(5) == -signal.SIGKILL
    finally:
        orphan.kill()
        orphan.communicate()
