from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli import session, waiting
from cli.cfy import main
from cli.commands import cluster
from cli.profile import Member, Profile
from cli.profile_store import ProfileStore
from tests.unit.cli.cluster_answers import ALONE, IN_CLUSTER, node
from tests.unit.cli.scripted import NOT_LEADER, Cluster, Manager, items


class Cfy:
    """Runs ``cfy`` as a user would, with a home folder of its own."""

    def __init__(self, home: Path) -> None:
        self.store = ProfileStore(home)

    def __call__(self, *args: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, args, input=stdin, prog_name="cfy")
        assert "Traceback" not in result.stderr or "-vv" in args
        return result

    def json(self, *args: str) -> Any:
        """The answer of a command that is expected to succeed."""
        result = self(*args, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def profile(self, *managers: Manager, port: int, name: str = "here", **settings: Any) -> Profile:
        """Make a profile for these managers and use it."""
        members = tuple(Member(f"n{number}", manager.address) for number, manager in enumerate(managers, 1))
        profile = Profile(
            name=name,
            address=managers[0].address,
            port=port,
            **{"protocol": "http", "password": "secret", "members": members} | settings,
        )
        self.store.save(profile)
        self.store.use(name)
        return profile


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(waiting, "POLL_INTERVAL_S", 0.01)
    monkeypatch.setattr(cluster, "SWITCHOVER_INTERVAL_S", 0.01)


@pytest.fixture
def cfy(tmp_path, monkeypatch):
    monkeypatch.setenv("CFY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(session.PASSWORD_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "argv", ["cfy"])
    return Cfy(tmp_path / "home")


@pytest.fixture
def managers():
    """Scripted managers over plain HTTP."""
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture
def fresh(cfy, managers):
    """A manager that is in no cluster, and its profile."""
    manager = managers.add({"GET /cluster": [ALONE]})
    cfy.profile(manager, port=managers.port, members=())
    return manager


@pytest.fixture
def leading(managers):
    """A manager that leads a cluster of its own."""
    manager = managers.add({"GET /cluster": IN_CLUSTER})
    manager.table["GET /cluster/nodes"] = items(node("n1", manager, master=True))
    return manager


@pytest.fixture
def pair(cfy, managers, leading):
    """A leader and a replica, and a profile that knows both."""
    replica = managers.add({"*": NOT_LEADER})
    leading.table["GET /cluster/nodes"] = items(
        node("n1", leading, master=True), node("n2", replica, credentials="no", online=False)
    )
    cfy.profile(leading, replica, port=managers.port)
    return leading, replica
