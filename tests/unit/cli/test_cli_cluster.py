"""``cfy cluster``: what concerns the cluster as a whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.cli.cluster_answers import IN_CLUSTER


def test_status(cfy, pair):
    result = cfy("cluster", "status")
    assert "n1" in result.stdout
    assert "offline" in result.stdout
    assert cfy.json("cluster", "status")["nodes"][0]["name"] == "n1"


def test_status_without_a_cluster_is_no_error(cfy, fresh):
    assert cfy.json("cluster", "status") == {"initialized": False}


def test_update_profile(cfy, pair):
    cfy.store.update("here", lambda profile: replace(profile, members=()))
    assert cfy("cluster", "update-profile").exit_code == 0
    assert len(cfy.store.get().members) == 2


@pytest.mark.parametrize(("command", "paused"), [("pause", True), ("resume", False)])
def test_pause_and_resume(cfy, pair, command, paused):
    pair[0].table["PATCH /cluster"] = IN_CLUSTER
    assert cfy("cluster", command).exit_code == 0
    assert pair[0].seen[-1].body == {"paused": paused}


def test_history(cfy, pair):
    happened = {
        "at": 1_700_000_000.5,
        "term": 3,
        "node": "n2",
        "summary": "took the lease",
        "duration_s": 0.25,
    }
    entries = [
        {**happened, "number": 2},
        {**happened, "number": 1, "summary": "died", "duration_s": None},
    ]
    pagination = {"total": 900, "offset": 0, "size": 2}
    page = 200, {"items": entries, "metadata": {"pagination": pagination}}
    pair[0].table["GET /cluster/history"] = page
    lines = cfy("cluster", "history", "--last", "5").stdout.splitlines()
    assert "died" in lines[1]
    assert "0.25" in lines[2]
    assert pair[0].requests() == ["GET /cluster/history?_size=5&_sort=-number"]


def test_plan(cfy, pair):
    plan = {"name": "n1", "situation": "LEADING", "plan": ["Keep the sync record"]}
    pair[0].table["GET /cluster/plan"] = (200, plan)
    assert "Keep the sync record" in cfy("cluster", "plan").stdout
    assert pair[0].requests()[1:] == ["GET /cluster/plan?node=n1", "GET /cluster/plan?node=n2"]
    assert cfy.json("cluster", "plan", "n1") == [plan]
