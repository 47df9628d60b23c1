"""The demo's commands: given again after an election, and told in one sentence when they fail."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from demo.cfy import NO_LEADER, TRIES, Cfy, CommandFailed

NOBODY = (NO_LEADER, ["Error: No manager leads the cluster at this moment. Asked:", "  127.0.0.1  replica"])


@pytest.fixture
def given(monkeypatch, tmp_path):
    """``cfy`` with the answers that are put in the list; an answer is taken for each time it is run."""
    answers, waited = [], []

    class Scripted(Cfy):
        def _run(self, _arguments):
            return answers.pop(0)

    cluster = SimpleNamespace(
        bed=SimpleNamespace(root=tmp_path), leader=None, wait=lambda *_: waited.append("for a leader")
    )
    return Scripted(cluster), answers, waited


def test_what_met_an_election_is_given_again(given):
    cfy, answers, waited = given
    answers += [NOBODY, (0, ["Deployment web is created."])]
    assert cfy.run("deployments", "create") == "Deployment web is created."
    assert waited == ["for a leader"]


def test_but_not_for_ever(given):
    cfy, answers, _ = given
    answers += [NOBODY] * TRIES
    with pytest.raises(CommandFailed, match="create failed: No manager leads the cluster"):
        cfy.run("deployments", "create")
    assert answers == []


def test_a_refusal_is_told_at_once(given):
    cfy, answers, waited = given
    answers += [(1, ["Error: Deployment with ID `web` already exists", "Hint:  none"])]
    with pytest.raises(CommandFailed, match="failed: Deployment with ID `web` already exists"):
        cfy.run("deployments", "create")
    assert waited == []
