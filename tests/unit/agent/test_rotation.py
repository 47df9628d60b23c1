"""In which order members are asked, and when the next one is."""

from __future__ import annotations

import itertools
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from agent import rest
from agent.brokers import waits
from agent.rest import Manager, RestFailed
from agent.settings import Folder, NotConfigured, Settings

MEMBERS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "agent")
    made.store(Settings(name="host_1", members=MEMBERS, broker_password="x"))
    return made


def test_the_waits_between_rounds():
    assert list(itertools.islice(waits(), 7)) == [1, 2, 4, 8, 16, 30, 30]


def test_the_member_that_led_last_is_asked_first(folder: Folder):
    assert folder.in_turn() == list(MEMBERS)
    folder.note_active("10.0.0.2")
    assert folder.in_turn() == ["10.0.0.2", "10.0.0.1", "10.0.0.3"]


def test_an_active_member_that_has_left_is_not_asked(folder: Folder):
    folder.note_active("10.0.0.9")
    assert folder.in_turn() == list(MEMBERS)


@pytest.mark.parametrize("file", ["settings.json", "active"])
def test_nobody_else_may_read_what_it_knows(folder: Folder, file: str):
    folder.note_active("10.0.0.1")
    assert stat.S_IMODE((folder.path / file).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_a_folder_without_an_agent_says_what_helps(tmp_path: Path):
    with pytest.raises(NotConfigured, match="cfy_agent configure"):
        Folder(tmp_path).settings()


def answer(status: int, code: str | None = None) -> Any:
    told = {"message": "no", "error_code": code}
    return SimpleNamespace(ok=status < 400, status_code=status, json=lambda: told, reason="", text="")


class Members:
    """What each of them says."""

    def __init__(self, says: dict[str, Any]) -> None:
        self.says, self.asked = says, []

    def request(self, method: str, url: str, **_: Any) -> Any:
        host = url.split("/")[2].split(":", maxsplit=1)[0]
        self.asked.append(host)
        said = self.says.get(host, requests.ConnectionError("nobody"))
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture
def ask(folder: Folder, monkeypatch):
    monkeypatch.setattr(rest.time, "sleep", lambda _: None)

    def asked(says: dict[str, Any]) -> tuple[Members, Manager]:
        manager = Manager(folder, "t", "token", patience_s=0)
        members = Members(says)
        monkeypatch.setattr(manager._session, "request", members.request)
        return members, manager

    return asked


@pytest.mark.parametrize(
    "refusal",
    [
        requests.ConnectionError("nobody"),
        answer(400, "not_cluster_master"),
        answer(400, "removed_from_cluster"),
        answer(503, "unavailable"),
    ],
)
def test_the_next_is_asked_when_one_does_not_lead(ask, refusal: Any):
    members, manager = ask({"10.0.0.1": refusal, "10.0.0.2": answer(200)})
    manager.request("GET", "/x")
    assert members.asked == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize(
    "refusal",
    [answer(400, "bad_parameters_error"), answer(401), answer(404), answer(503, "maintenance_mode_active")],
)
def test_what_the_leader_refuses_nobody_else_is_asked(ask, refusal: Any):
    members, manager = ask({"10.0.0.1": refusal})
    with pytest.raises(RestFailed) as caught:
        manager.request("GET", "/x")
    assert caught.value.status_code == refusal.status_code
    assert members.asked == ["10.0.0.1"]


def test_when_nobody_leads_it_says_what_each_has_said(ask):
    _, manager = ask({})
    with pytest.raises(RestFailed, match=r"10\.0\.0\.3: nobody"):
        manager.request("GET", "/x")
