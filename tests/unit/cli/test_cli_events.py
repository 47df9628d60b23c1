"""The events of an execution: each once, in their order, until the end and not a moment longer."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from cli import following
from tests.unit.cli.scripted import DROP, NOT_LEADER, error


def event(number, message="", **more):
    at = f"2026-11-22T10:00:0{number}.000Z"
    known = {"type": "cloudify_event", "timestamp": at, "reported_timestamp": at, "message": message}
    return {**known, "workflow_id": "install", "event_type": "task_started", **more}


STARTED = event(1, "Starting 'install'", event_type="workflow_started")
TASK = event(2, "Sending task", node_instance_id="vm_1", operation="cloudify.interfaces.lifecycle.start")
LOGGED = event(3, "Hello", type="cloudify_log", level="info", event_type=None)
ENDED = event(4, "'install' succeeded", event_type="workflow_succeeded")
ALL = [STARTED, TASK, LOGGED, ENDED]


def pages(*known):
    """Answers page by page: with the first of ``known`` there are, until all have been asked for."""
    known = list(known)

    def answer(seen):
        query = parse_qs(seen.query)
        offset, size = int(query.get("_offset", ["0"])[0]), int(query["_size"][0])
        there = known[0]
        if offset >= len(there) and len(known) > 1:
            known.pop(0)
        page = there[offset : offset + size]
        return 200, {"items": page, "metadata": {"pagination": {"total": len(there)}}}

    return answer


def execution(status, said=None):
    return 200, {"id": "e1", "workflow_id": "install", "status": status, "error": said}


@pytest.fixture
def manager(cfy, managers, monkeypatch):
    manager = managers.add({"GET /events": pages(ALL), "GET /executions/e1": execution("terminated")})
    cfy.profile(manager, port=managers.port)
    monkeypatch.setenv("TZ", "UTC")
    return manager


def test_what_is_for_who_looks_for_a_fault_is_shown_to_who_asks(cfy, manager):
    debug = event(4, "Process created", type="cloudify_log", level="debug", event_type=None)
    manager.table["GET /events"] = pages([STARTED, debug])
    assert "Process created" not in cfy("events", "list", "e1").stdout
    manager.table["GET /events"] = pages([STARTED, debug])
    assert "Process created" in cfy("events", "list", "e1", "-v").stdout


def test_what_happened_so_far(cfy, manager):
    lines = cfy("events", "list", "e1").stdout.splitlines()
    assert [line.split(maxsplit=3)[3] for line in lines] == [
        "[install] Starting 'install'",
        "[vm_1.start] Sending task",
        "[install] Hello",
        "[install] 'install' succeeded",
    ]
    kinds = [line.split()[2] for line in lines]
    assert kinds == ["workflow_started", "task_started", "info", "workflow_succeeded"]


def test_an_execution_that_does_not_exist(cfy, manager):
    manager.table["GET /events"] = pages([])
    result = cfy("events", "list", "nope")
    assert result.exit_code == 1
    assert "no GET /executions/nope" in result.stderr


def test_one_that_has_reported_nothing(cfy, manager):
    manager.table["GET /events"] = pages([])
    result = cfy("events", "list", "e1")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "There are no events" in result.stderr


def test_it_asks_by_number_in_the_order_of_arrival(cfy, manager):
    cfy("events", "list", "e1", "--no-logs")
    query = parse_qs(manager.seen[0].query)
    assert query == {
        "execution_id": ["e1"],
        "type": ["cloudify_event"],
        "_sort": ["reported_timestamp"],
        "_offset": ["0"],
        "_size": ["1000"],
    }
    cfy("events", "list", "e1")
    assert parse_qs(manager.seen[-1].query)["type"] == ["cloudify_event", "cloudify_log"]


def test_every_page(cfy, manager, monkeypatch):
    monkeypatch.setattr(following, "PAGE_SIZE", 1)
    assert len(cfy("events", "list", "e1").stdout.splitlines()) == 4


def test_programs_get_a_line_for_each(cfy, manager):
    lines = cfy("events", "list", "e1", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == ALL


def test_the_causes_of_an_error(cfy, manager):
    causes = [{"type": "OSError", "message": "disk full", "traceback": "..."}]
    manager.table["GET /events"] = pages([event(1, "failed", error_causes=causes)])
    assert "    OSError: disk full" in cfy("events", "list", "e1").stdout


def tail(cfy, *more):
    return cfy("events", "list", "e1", "--tail", *more)


def test_tail_prints_each_event_once_until_the_end(cfy, manager):
    manager.table |= {
        "GET /events": pages([STARTED], [STARTED, TASK], ALL),
        "GET /executions/e1": [execution("started"), execution("started"), execution("terminated")],
    }
    result = tail(cfy)
    assert result.exit_code == 0, result.stderr
    assert [line.split(maxsplit=3)[3] for line in result.stdout.splitlines()] == [
        "[install] Starting 'install'",
        "[vm_1.start] Sending task",
        "[install] Hello",
        "[install] 'install' succeeded",
    ]


def test_tail_goes_on_where_it_was_after_a_failover(cfy, managers, manager):
    successor = managers.add({"*": NOT_LEADER})
    cfy.profile(manager, successor, port=managers.port)
    manager.table |= {
        "GET /events": pages([STARTED, TASK]),
        "GET /executions/e1": [execution("started"), DROP, NOT_LEADER],
    }
    answers = [NOT_LEADER, execution("started"), execution("terminated")]
    successor.table = {"GET /executions/e1": answers, "GET /events": pages(ALL)}
    result = tail(cfy)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 4


def test_the_last_event_may_come_after_the_end(cfy, manager):
    manager.table["GET /events"] = pages([STARTED], ALL)
    assert "'install' succeeded" in tail(cfy).stdout


def test_one_that_was_ended_by_force_has_no_last_event(cfy, manager, monkeypatch):
    monkeypatch.setattr(following, "LAST_EVENT_TIMEOUT_S", 0)
    manager.table |= {"GET /events": pages([STARTED]), "GET /executions/e1": execution("cancelled")}
    result = tail(cfy)
    assert result.exit_code == 1
    assert "e1 (install) was cancelled." in result.stderr


def test_tail_fails_if_the_execution_failed(cfy, manager):
    manager.table["GET /executions/e1"] = execution("failed", "vm_1 did not start")
    result = tail(cfy)
    assert result.exit_code == 1
    assert "failed: vm_1 did not start" in result.stderr


def test_an_execution_that_goes_on(cfy, manager):
    manager.table["GET /executions/e1"] = execution("started")
    result = tail(cfy, "--timeout", "0.05")
    assert result.exit_code == 5
    assert "cfy executions get e1" in result.stderr


def test_an_execution_that_there_is_not(cfy, manager):
    manager.table["GET /executions/e1"] = error(404, "not_found_error", "`e1` was not found")
    assert tail(cfy).exit_code == 1
