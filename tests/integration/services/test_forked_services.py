"""Services written in Python are forked out of supervisord, and are programs of their own all the same."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from orchestrator.clients import processes, supervisor_config, supervisord
from orchestrator.clients.programs import Program
from orchestrator.clients.services import SupervisorServices
from tests.support.addresses import network
from tests.support.sshd import node_config
from tests.support.waiting import eventually

STUB = "tests.support.service_stub"


@pytest.fixture
def node(monkeypatch):
    def stubs(*_, **__):
        command = (sys.executable, "-m", STUB)
        return (
            Program("first", (*command, "stay", "first")),
            Program("second", (*command, "stay", "second")),
            Program("failing", (*command, "fail"), autorestart=False),
        )

    monkeypatch.setattr(supervisor_config, "programs", stubs)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    with tempfile.TemporaryDirectory(prefix="cfy-") as folder:
        config = node_config(Path(folder), f"{network(92)}.4")
        config_file = config.paths.etc / "manager.toml"
        config.paths.etc.mkdir(parents=True, exist_ok=True)
        config_file.touch()
        node = Node(config, config_file)
        try:
            supervisord.start(config, config_file, member=False)
            eventually(lambda: {"first", "second"} <= node.services.running(), 30, "the services run")
            yield node
        finally:
            for process in node.processes():
                processes.send(process, signal.SIGKILL)
            eventually(lambda: not node.processes(), 30, "the node is gone")


class Node:
    def __init__(self, config, config_file):
        self.config, self.config_file = config, config_file
        self.services = SupervisorServices(config)

    def processes(self):
        return processes.of_node(self.config, self.config_file)

    def pid(self, name):
        return {name: pid for pid, name in self.services.pids().items()}.get(name)

    def log(self, name):
        return (self.config.paths.log / f"{name}.log").read_text()


def test_each_service_is_listed_as_what_it_is(node):
    shown = eventually(lambda: [process for process in node.processes() if "second" in process.arguments])
    assert [process.pid for process in shown] == [node.pid("second")]
    assert shown[0].arguments[:5] == (sys.executable, "-m", STUB, "stay", "second")
    assert Path(f"/proc/{shown[0].pid}/comm").read_text() == "second\n"


def test_a_service_sees_its_own_arguments_and_environment_and_has_no_file_of_another(node):
    eventually(lambda: "\n" in node.log("first"), 30, "it has said how it stands")
    arguments, service, open_files = node.log("first").splitlines()[0].split(" | ")
    assert arguments == "stay first"
    assert service == "first"
    assert open_files == "0 1 2"


def test_one_that_is_killed_comes_back_and_the_others_stay(node):
    killed, other = node.pid("first"), node.pid("second")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: node.pid("first") not in {None, killed}, 30, "it runs again")
    assert node.pid("second") == other


def test_one_that_is_stopped_gets_the_signal_as_any_program_does(node):
    node.services.stop("second")
    assert "second" not in node.services.running()
    assert "first" in node.services.running()


def test_what_goes_wrong_in_a_service_is_in_its_log(node):
    eventually(lambda: "ZeroDivisionError" in node.log("failing"), 30, "the traceback is in the log")


def test_the_services_of_a_killed_supervisord_are_found_and_ended(node):
    def shown():
        return {process.arguments[4] for process in node.processes() if len(process.arguments) > 4}

    # A service that was forked a moment ago still shows the arguments of supervisord.
    eventually(lambda: {"first", "second"} <= shown(), 30, "both services show who they are")
    os.kill(node.services.pid(), signal.SIGKILL)
    eventually(lambda: not supervisord.is_running(node.config), 30, "supervisord is gone")
    assert {"first", "second"} <= shown()
    supervisord.clear_leftovers(node.config, node.config_file)
    assert not node.processes()


def test_one_that_starts_when_the_configuration_has_changed_is_started_anew(node):
    def is_forked(name):
        # The kernel shows the environment that a program was executed with: here that of supervisord.
        return b"SUPERVISOR_PROCESS_NAME" not in Path(f"/proc/{node.pid(name)}/environ").read_bytes()

    assert is_forked("first")
    node.config_file.write_text("# This is not what was read when the libraries were imported.\n")
    killed = node.pid("first")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: node.pid("first") not in {None, killed}, 10, "it runs again")
    eventually(lambda: not is_forked("first"), 10, "it has been executed")
    assert is_forked("second")
