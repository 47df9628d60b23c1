"""Starting a cluster and joining one: what is checked, noted and told."""

from __future__ import annotations

import pytest

from manager import errors
from orchestrator.formation.progress import Progress
from tests.support.memory_cluster import refused

pytestmark = pytest.mark.integration


JOIN = {"credentials": {"secret": 1}, "required": {"version": "1"}, "join_addrs": ["127.0.0.1"]}


def test_start(node, alone, errands):
    body = {"host_ip": "127.93.1.1", "node_name": "n1", "options": {"sync_mode": "async"}}
    answer = alone.put("/cluster", body)
    assert (answer.status_code, answer.json()) == (200, {"initialized": False, "error": None})
    assert errands.run == [("start", body)]
    # Again, from a client whose connection broke: it is not begun twice.
    assert alone.put("/cluster", body).status_code == 200
    refused(alone.put("/cluster", {**body, "node_name": "n2"}), 409, "conflict_error")
    assert len(errands.run) == 1

    progress = Progress(node.config.paths)
    progress.begin("Begun.")
    (line,) = alone.get("/cluster?_include=logs,initialized,error").json()["logs"]
    assert (line["message"], type(line["timestamp"])) == ("Begun.", int)
    progress.say("Done.")
    news = alone.get(f"/cluster?_include=logs,initialized,error&since={line['cursor']}").json()
    assert [it["message"] for it in news["logs"]] == ["Done."]

    progress.fail("It went wrong.")
    assert alone.get("/cluster?_include=error").json() == {"error": "It went wrong."}
    assert alone.put("/cluster", {**body, "node_name": "n2"}).status_code == 200  # it can be tried again
    assert len(errands.run) == 2


def test_join(alone, errands):
    body = {"host_ip": "127.93.1.1", "node_name": "n1", "options": {}, **JOIN}
    assert alone.put("/cluster", body).status_code == 200
    assert errands.run == [("join", body)]


@pytest.mark.parametrize("missing", ["credentials", "required"])
def test_a_join_without_an_invitation(alone, errands, missing):
    body = {"host_ip": "127.93.1.1", "node_name": "n1", **JOIN, missing: None}
    assert missing in refused(alone.put("/cluster", body), 400, "bad_parameters_error")
    assert errands.run == []


def test_what_the_check_of_a_start_says_is_told_and_nothing_is_under_way(alone, errands):
    body = {"host_ip": "localhost", "node_name": "n1"}
    errands.refusal = errors.BadParameters("'localhost' is not an IP address")
    refused(alone.put("/cluster", body), 400, "bad_parameters_error")
    errands.refusal = None
    assert alone.put("/cluster", {**body, "host_ip": "127.93.1.1"}).status_code == 200


def test_a_second_start(rest, errands):
    body = {"host_ip": "127.93.1.1", "node_name": "n1"}
    refused(rest.put("/cluster", body), 409, "conflict_error")
    refused(rest.put("/cluster", {**body, **JOIN}), 409, "conflict_error")
    assert errands.run == []
