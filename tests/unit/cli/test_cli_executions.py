"""Starting, ending and resuming executions; and staying with one through a failover."""

from __future__ import annotations

import json

import pytest

from cli import following
from tests.unit.cli.scripted import DROP, NOT_LEADER, error
from tests.unit.cli.test_cli_events import ALL, STARTED, TASK, pages

NO_SUCH = error(400, "nonexistent_workflow_error", "Workflow fly does not exist in deployment web")


def execution(status="started", **more):
    shown = "completed" if status == "terminated" else status
    known = {"id": "e1", "workflow_id": "install", "deployment_id": "web", "error": None}
    return {**known, "status": status, "status_display": shown, **more}


@pytest.fixture
def sent():
    """The bodies of the requests to start something."""
    return []


@pytest.fixture
def started(sent):
    def answer(seen):
        sent.append(seen.body)
        return 201, execution("pending")

    return answer


@pytest.fixture
def manager(cfy, managers, started, monkeypatch):
    table = {
        "POST /executions": started,
        "GET /executions/e1": [(200, execution()), (200, execution("terminated"))],
        "GET /events": pages([STARTED], ALL),
    }
    manager = managers.add(table)
    cfy.profile(manager, port=managers.port)
    monkeypatch.setenv("TZ", "UTC")
    return manager


def start(cfy, *more):
    return cfy("executions", "start", "install", "-d", "web", *more)


def test_it_shows_the_events_until_the_end(cfy, manager, sent):
    result = start(cfy)
    assert result.exit_code == 0, result.stderr
    said = [line.split(maxsplit=3)[3] for line in result.stdout.splitlines()[:-1]]
    assert said == [
        "[install] Starting 'install'",
        "[vm_1.start] Sending task",
        "[install] Hello",
        "[install] 'install' succeeded",
    ]
    assert result.stdout.splitlines()[-1] == "Execution e1 is completed."
    assert "Executing workflow install on deployment web: execution e1." in result.stderr
    (body,) = sent
    assert (body["workflow_id"], body["deployment_id"]) == ("install", "web")
    assert body["id"]


def test_what_is_sent(cfy, manager, sent, tmp_path):
    file = tmp_path / "parameters.yaml"
    file.write_text("nodes: [a, b]")
    flags = ("--allow-custom-parameters", "--dry-run", "-f", "--execution-timeout", "60")
    start(cfy, "-p", "a=1;b=2", "--parameters", str(file), *flags, "--wait-after-fail", "5")
    (body,) = sent
    assert body["parameters"] == {"a": "1", "b": "2", "nodes": ["a", "b"]}
    given = ("allow_custom_parameters", "dry_run", "force", "queue", "timeout_s", "wait_after_fail")
    assert [body[name] for name in given] == [True, True, True, False, 60, 5]
    assert "scheduled_time" not in body


@pytest.mark.parametrize("flag", ["--json", "--json-output"])
def test_programs_get_a_line_for_each_event_and_one_for_the_execution(cfy, manager, flag):
    lines = [json.loads(line) for line in start(cfy, flag).stdout.splitlines()]
    assert lines[:-1] == ALL
    assert lines[-1]["status"] == "terminated"


@pytest.mark.parametrize(
    ("status", "said"), [("failed", "failed: vm_1 did not start"), ("cancelled", "was cancelled")]
)
def test_its_end_is_the_end_of_the_command(cfy, manager, status, said):
    ended = execution(status, error="vm_1 did not start" if status == "failed" else None)
    manager.table["GET /executions/e1"] = (200, ended)
    result = start(cfy)
    assert result.exit_code == 1
    assert said in result.stderr


@pytest.mark.parametrize(
    ("status", "said"),
    [("queued", "until nothing is in its way"), ("scheduled", "waits for its time, 2030-01-01 21:30:00")],
)
def test_what_waits_is_not_waited_for(cfy, manager, status, said):
    scheduled = "2030-01-01T21:30:00.000Z" if status == "scheduled" else None
    manager.table["POST /executions"] = (201, execution(status) | {"scheduled_for": scheduled})
    result = start(cfy, "--queue")
    assert result.exit_code == 0
    assert said in result.stderr
    assert result.stdout == f"Execution e1 is {status}.\n"


def test_what_the_manager_refuses(cfy, manager):
    manager.table["POST /executions"] = NO_SUCH
    result = start(cfy)
    assert result.exit_code == 1
    assert "does not exist" in result.stderr


def test_it_goes_on_longer_than_the_command_waits(cfy, manager):
    manager.table["GET /executions/e1"] = (200, execution())
    result = start(cfy, "--timeout", "0.05")
    assert result.exit_code == 5
    assert "cfy executions get e1" in result.stderr


def test_a_failover_in_the_middle_is_told_in_a_line_and_no_event_twice(cfy, managers, manager):
    successor = managers.add({"*": NOT_LEADER})
    cfy.profile(manager, successor, port=managers.port)
    manager.table |= {
        "GET /executions/e1": [(200, execution()), DROP, NOT_LEADER],
        "GET /events": pages([STARTED, TASK]),
    }
    answers = [NOT_LEADER, NOT_LEADER, (200, execution()), (200, execution("terminated"))]
    successor.table = {"GET /executions/e1": answers, "GET /events": pages(ALL)}
    result = start(cfy)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == len(ALL) + 1
    assert result.stderr.count("waiting until one does") == 1
    assert result.stderr.count("A manager leads again") == 1


def test_a_start_that_may_have_been_lost_is_sent_again_as_the_same(cfy, managers, manager, started, sent):
    """The manager knows it by its id, and answers like the first time."""
    successor = managers.add({"*": NOT_LEADER})
    cfy.profile(manager, successor, port=managers.port)

    def lost(seen):
        sent.append(seen.body)
        return DROP

    manager.table = {"POST /executions": lost, "*": NOT_LEADER}
    turns = [NOT_LEADER]
    successor.table = {
        "POST /executions": lambda seen: turns.pop() if turns else started(seen),
        "GET /executions/e1": (200, execution("terminated")),
        "GET /events": pages(ALL),
    }
    result = start(cfy)
    assert result.exit_code == 0, result.stderr
    assert len(sent) >= 2
    assert len({body["id"] for body in sent}) == 1


def test_with_nobody_there_it_gives_up_at_once(cfy, manager, managers):
    cfy.profile(manager, port=1)
    assert start(cfy).exit_code == 3


def test_interrupted_it_says_how_to_go_on_looking(cfy, manager, monkeypatch):
    def interrupt(_events, _timeout_s):
        raise KeyboardInterrupt

    monkeypatch.setattr(following.Events, "follow", interrupt)
    result = start(cfy)
    assert result.exit_code == 130
    assert "Execution e1 goes on" in result.stderr
    assert "cfy events list e1 --tail" in result.stderr
    assert "cfy executions cancel e1" in result.stderr


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (("cancel",), "cancel"),
        (("cancel", "-f"), "force-cancel"),
        (("cancel", "--force"), "force-cancel"),
        (("cancel", "-k"), "kill"),
        (("resume",), "resume"),
        (("resume", "--force"), "force-resume"),
    ],
)
def test_ending_and_resuming(cfy, manager, sent, command, action):
    def changed(seen):
        sent.append(seen.body)
        return 200, execution("cancelling")

    manager.table["POST /executions/e1"] = changed
    assert cfy("executions", command[0], "e1", *command[1:]).exit_code == 0
    assert sent == [{"action": action}]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("cancelling", "being cancelled, when what runs has ended"),
        ("force_cancelling", "being cancelled, and what runs is not waited for"),
        ("kill_cancelling", "being killed"),
        ("cancelled", "cancelled"),
    ],
)
def test_what_becomes_of_one_that_is_to_end(cfy, manager, status, said):
    manager.table["POST /executions/e1"] = (200, execution(status))
    assert f"Execution e1 is {said}. To look" in cfy("executions", "cancel", "e1").stdout


def test_a_resumed_one_is_followed_to_its_second_end(cfy, manager):
    """Its first end is among the events."""
    failed = {**STARTED, "event_type": "workflow_failed", "message": "failed"}
    resumed = {**STARTED, "event_type": "workflow_resumed", "message": "resumed"}
    manager.table |= {
        "GET /executions/e1": [(200, execution()), (200, execution("terminated"))],
        "GET /events": pages([STARTED, failed, resumed], [STARTED, failed, resumed, ALL[-1]]),
    }
    result = cfy("events", "list", "e1", "--tail")
    assert result.exit_code == 0
    assert "'install' succeeded" in result.stdout


WORKFLOWS = [
    {"name": "install", "parameters": {}},
    {
        "name": "scale",
        "parameters": {"node": {}, "by": {"default": 1}, "why": {"required": False}},
    },
]


@pytest.fixture
def deployment(manager):
    manager.table["GET /deployments/web"] = (
        200,
        {"id": "web", "blueprint_id": "shop", "workflows": WORKFLOWS},
    )


def test_the_workflows_of_a_deployment(cfy, manager, deployment):
    assert cfy.json("workflows", "list", "-d", "web") == WORKFLOWS
    lines = cfy("workflows", "list", "-d", "web").stdout.splitlines()
    assert lines[2].split() == ["scale", "node", "by,", "why", "web", "shop"]


def test_one_workflow(cfy, manager, deployment):
    assert cfy.json("workflows", "get", "scale", "-d", "web") == WORKFLOWS[1]
    assert "by=1" in cfy("workflows", "get", "scale", "-d", "web").stdout
    result = cfy("workflows", "get", "fly", "-d", "web")
    assert result.exit_code == 1
    assert "It has: install, scale" in result.stderr
