"""An agent asks a real leader whether an operation is wanted, before it begins anything of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from agent.settings import Settings
from manager.agents.tokens import issue
from manager.models import Execution, Operation, User
from manager.operations.agents import hostname
from manager.operations.message import TASK, Message, Outcome, agent_queue
from manager.workflows.sending import broker_of
from tests.support.agents import NAME, AgentProcess
from tests.support.operations import WITHIN_S, Bench, Place, bench
from tests.support.rest import ADMIN, stop
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class Leader:
    """A manager with REST and a broker, and an agent whose machine is on only for a while."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench, self.agent = bench, AgentProcess(folder)
        self.rest = bench.node.start_process()
        config = bench.config
        self.agent.folder.store(
            Settings(
                name=NAME,
                members=(str(config.host_ip),),
                broker_password=bench.settings.broker.password,
                broker_port=config.ports.broker,
                rest_port=config.ports.rest,
                rest_protocol=config.rest.protocol,
                max_workers=1,
            )
        )
        shutil.copy(config.paths.ssl / "ca.pem", self.agent.folder.ca_file)

    def place(self) -> Place:
        """A deployment whose execution an administrator has started."""
        made = self.bench.place()
        with self.bench.session() as session:
            admin = session.query(User).where(User.username == ADMIN[0]).one()
            session.execute(
                update(Execution).where(Execution.id == made.execution).values(creator_id=admin.id)
            )
            session.commit()
        return made

    def send(self, place: Place) -> Message:
        """An operation that notes that it ran, as the engine sends it."""
        with self.bench.session() as session:
            token = issue(session, place.execution, "default_tenant")
            session.commit()
        script = self.agent.script()
        stored = place.message("", execution_token=token)
        source = script.kwargs["script_source"].replace(script.id, stored.id)
        context = {**stored.context, "task_name": "script_runner.tasks.run"}
        message: Message = stored.model_copy(
            update={"context": context, "kwargs": {"script_source": source}, "executor": "agent"}
        )
        self.repeat(message)
        return message

    def repeat(self, message: Message) -> None:
        """Send it, or a copy of it."""
        body = message.model_dump(mode="json")
        self.bench.app.send_task(TASK, args=[body], task_id=message.task_id, queue=agent_queue(NAME))

    def change(self, statement: Any) -> None:
        with self.bench.session() as session:
            session.execute(statement)
            session.commit()

    def fetched(self) -> bool:
        """Whether the agent has all that was sent."""
        return not broker_of(self.bench.app).llen(agent_queue(NAME))

    @contextmanager
    def on(self) -> Iterator[None]:
        """The agent runs."""
        self.agent.start()
        try:
            ping = self.bench.app.control.ping
            eventually(lambda: ping(destination=[hostname(NAME)], timeout=1.0), WITHIN_S, "it is there")
            yield
        finally:
            self.agent.stop()


@pytest.fixture(scope="module")
def leader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leader]:
    with bench() as made:
        found = Leader(made, tmp_path_factory.mktemp("agent"))
        try:
            yield found
        finally:
            found.agent.kill()


def of_execution(message: Message, status: str) -> Any:
    identifier = message.context["execution_id"]
    return update(Execution).where(Execution.id == identifier).values(status=status)


def of_operation(message: Message, **values: Any) -> Any:
    return update(Operation).where(Operation.id == message.id).values(**values)


OVER = {
    "its execution was cancelled by force": lambda message: of_execution(message, "cancelled"),
    "its execution has failed": lambda message: of_execution(message, "failed"),
    "it was killed": lambda message: of_operation(message, state="failed"),
    "it was taken out": lambda message: delete(Operation).where(Operation.id == message.id),
    "it is tried anew": lambda message: of_operation(message, retries=1),
}


def test_what_is_over_when_the_agent_comes_to_it_is_not_begun(leader: Leader):
    over = {}
    for why, ending in OVER.items():
        message = over[why] = leader.send(leader.place())
        leader.change(ending(message))
    wanted = [leader.send(leader.place()) for _ in range(2)]
    # What is under way when it is cancelled is waited for, so it has to be done.
    leader.change(of_execution(wanted[0], "cancelling"))
    with leader.on():
        for message in wanted:
            assert leader.bench.answer(message).outcome is Outcome.SUCCEEDED
        # The queue is one after the other: what was sent before has been looked at before.
        assert {why: leader.agent.runs_of(message) for why, message in over.items()} == dict.fromkeys(over, 0)
        assert [leader.agent.runs_of(message) for message in wanted] == [1, 1]
    # Nor is anything said of it: whoever resumes the execution sends the same message.
    assert [leader.bench.answered(message) for message in over.values()] == [None] * len(over)


def test_what_is_resumed_is_begun_after_all(leader: Leader):
    message = leader.send(leader.place())
    leader.change(of_execution(message, "cancelled"))
    with leader.on():
        later = leader.send(leader.place())
        leader.bench.answer(later)
        leader.change(of_execution(message, "started"))
        leader.repeat(message)
        assert leader.bench.answer(message).outcome is Outcome.SUCCEEDED
    assert leader.agent.runs_of(message) == 1


def test_it_waits_for_a_leader_who_can_say(leader: Leader):
    message = leader.send(leader.place())
    stop(leader.rest)
    with leader.on():
        eventually(leader.fetched, WITHIN_S, "it has the message")
        assert leader.agent.runs_of(message) == 0
        leader.rest = leader.bench.node.start_process()
        assert leader.bench.answer(message).outcome is Outcome.SUCCEEDED
    assert leader.agent.runs_of(message) == 1
