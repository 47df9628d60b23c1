"""The manager brings an agent onto a machine over SSH, and takes it away."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from agent import daemon
from agent.settings import Folder
from manager.agents.tokens import issue
from manager.models import Agent, Execution, User
from manager.operations.message import TASK, Answer, Message, Outcome, agent_queue
from tests.support.login_sshd import Machine, login_machine
from tests.support.operations import WITHIN_S, Bench, Place, bench
from tests.support.rest import ADMIN
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

OPERATION = "cloudify_agent.installer.operations"


class Host:
    """A machine in a deployment, and the agent that comes onto it."""

    def __init__(self, bench: Bench, place: Place, machine: Machine, home: Path) -> None:
        self.bench, self.place, self.machine, self.home = bench, place, machine, home

    @property
    def folder(self) -> Folder:
        return Folder(self.home / self.place.host / "state")

    @property
    def program(self) -> str:
        return str(self.home / self.place.host / "bin" / "cfy_agent")

    def do(self, name: str) -> Answer:
        context = {"node_id": self.place.host, "node_name": "host"}
        return self.place.run(f"{OPERATION}.{name}", **context)

    def install(self) -> None:
        for name in ("create", "configure", "start"):
            answer = self.do(name)
            assert answer.outcome is Outcome.SUCCEEDED, answer

    def row(self) -> Agent | None:
        with self.bench.session() as session:
            return session.scalars(select(Agent).where(Agent.name == self.place.host)).one_or_none()

    def run(self, task_name: str, kwargs: dict[str, Any]) -> Answer:
        """An operation of the node ``app``, on the agent."""
        with self.bench.session() as session:
            token = issue(session, self.place.execution, "default_tenant")
            session.commit()
        message: Message = self.place.message(task_name, kwargs, execution_token=token)
        self.bench.app.send_task(
            TASK,
            args=[message.model_dump(mode="json")],
            task_id=message.task_id,
            queue=agent_queue(self.place.host),
        )
        return self.bench.answer(message)


def _started_by_admin(bench: Bench, place: Place) -> None:
    with bench.session() as session:
        admin = session.scalars(select(User).where(User.username == ADMIN[0])).one()
        session.execute(update(Execution).where(Execution.id == place.execution).values(creator_id=admin.id))
        session.commit()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("agents")
    with bench() as made, login_machine(tmp_path_factory.mktemp("machine")) as machine, made.worker():
        made.node.start_process()
        login = machine.fabric_env()
        config = {
            "install_method": "remote",
            "user": login["user"],
            "key": login["key"],
            "port": machine.port,
            "basedir": str(home),
            "process_management": {"name": "detach"},
        }
        place = made.place(host_properties={"ip": machine.host, "agent_config": config})
        _started_by_admin(made, place)
        found = Host(made, place, machine, home)
        try:
            yield found
        finally:
            if found.folder.path.is_dir():
                daemon.stop(found.folder)


@pytest.fixture
def installed(host: Host) -> Host:
    host.install()
    return host


def test_it_is_installed_and_noted(installed: Host):
    row = installed.row()
    assert (row.state, row.install_method, row.ip) == ("started", "remote", installed.machine.host)
    assert row.version
    assert row.members == [str(installed.bench.config.host_ip)]
    assert installed.place.properties(installed.place.host)["cloudify_agent"]["name"] == installed.place.host


def test_nobody_else_may_read_its_settings(installed: Host):
    file = installed.folder.path / "settings.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_runs_what_was_carried_and_nothing_of_the_manager(installed: Host):
    pid = daemon.running(installed.folder)
    mapped = Path(f"/proc/{pid}/maps").read_text()
    assert f"{installed.home}" in mapped
    assert f"{Path(pytest.__file__).parents[1]}" not in mapped


def test_operations_on_it_have_their_ctx(installed: Host):
    script = '#!/bin/bash -e\nctx logger info "over there"\nctx instance runtime-properties at "$word"\n'
    answer = installed.run("script_runner.tasks.run", {"script_source": script, "word": "the agent"})
    assert answer.outcome is Outcome.SUCCEEDED, answer
    assert installed.place.properties()["at"] == "the agent"
    eventually(
        lambda: "over there" in [line.message for line in installed.place.lines()],
        WITHIN_S,
        "its line is there",
    )


def test_the_blueprints_own_code_is_fetched_and_runs_on_it(installed: Host):
    code = b"def run(ctx, **_):\n    return ctx.get_resource('x/far.py').decode()[:7]\n"
    with tarfile.open(installed.place.content.with_name("archive"), "w:gz") as archive:
        entry = tarfile.TarInfo("top/x/far.py")
        entry.size = len(code)
        archive.addfile(entry, io.BytesIO(code))
    answer = installed.run("far.run", {})
    assert (answer.outcome, answer.result) == (Outcome.SUCCEEDED, "def run"), answer


def test_installing_again_leaves_it_running(installed: Host):
    before = daemon.running(installed.folder)
    installed.install()
    assert daemon.running(installed.folder) == before


def test_what_was_left_by_an_installer_that_was_killed_is_mended(installed: Host):
    installed.do("stop")
    lib = installed.home / installed.place.host / "lib"
    lib.rename(lib.with_name("lib.old"))
    (installed.home / installed.place.host / "lib.new").mkdir()
    installed.install()
    assert daemon.running(installed.folder)


def test_validating_says_what_answers(installed: Host):
    assert installed.do("validate").result["name"] == installed.place.host
    told = subprocess.run([installed.program, "validate"], capture_output=True, check=True, timeout=60).stdout
    assert json.loads(told)["broker"]["leader"] == str(installed.bench.config.host_ip)


def test_it_goes_away(installed: Host):
    assert installed.do("stop").outcome is Outcome.SUCCEEDED
    assert daemon.running(installed.folder) is None
    assert [installed.do("delete").outcome for _ in range(2)] == [Outcome.SUCCEEDED] * 2
    assert not (installed.home / installed.place.host).exists()
    assert installed.row() is None
    assert "cloudify_agent" not in installed.place.properties(installed.place.host)
