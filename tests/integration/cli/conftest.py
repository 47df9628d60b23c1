"""``cfy`` in front of one manager with a real database, as a user has it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli import session
from cli.cfy import main
from manager.gate import Verdict
from manager.gateway import Gateway, settings_of
from manager.server import server
from tests.support.addresses import new_address
from tests.support.rest import ADMIN, ManagerNode, manager_node
from tests.support.waiting import eventually

NUMBERS = count(1)
BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_3
description: A shop
node_types:
  thing:
    properties:
      port: {}
inputs:
  port:
    type: integer
    default: 80
    description: Where it listens
  host: {}
node_templates:
  till:
    type: thing
    properties:
      port: {get_input: port}
    instances:
      deploy: 2
outputs:
  address:
    value: {concat: [{get_input: host}, ':', {get_input: port}]}
"""


class Cfy:
    """Runs ``cfy`` with the home folder of the test."""

    def __call__(self, *args: str) -> Result:
        return CliRunner().invoke(main, args, prog_name="cfy")

    def json(self, *args: str) -> Any:
        """The answer of a command that is expected to succeed."""
        result = self(*args, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture(scope="session")
def node() -> Iterator[ManagerNode]:
    with manager_node(protocol="http") as node:
        node.start_process()
        yield node


@pytest.fixture
def cfy(node: ManagerNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cfy:
    """``cfy`` with a profile for the manager."""
    monkeypatch.setenv("CFY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(session.PASSWORD_VARIABLE, raising=False)
    cfy = Cfy()
    address = ("--rest-port", str(node.config.ports.rest), "--rest-protocol", "http")
    result = cfy("profiles", "use", node.config.host_ip, "-u", ADMIN[0], "-p", ADMIN[1], *address)
    assert result.exit_code == 0, result.output
    return cfy


@contextmanager
def member_that_does_not_lead(node: ManagerNode) -> Iterator[str]:
    """The REST service of another member, at another address and the same port; it gives the address."""
    gateway = Gateway(node.config)
    gateway.verdict = lambda: Verdict.NOT_LEADING
    address = new_address()
    rest = server(replace(settings_of(node.config), host=address, certificate=None, key=None), gateway)
    thread = threading.Thread(target=rest.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: rest.started, 30, "the REST service has started")
        yield address
    finally:
        rest.should_exit = True
        thread.join(15)
        assert not thread.is_alive(), "a REST service that was told to stop goes on"


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"shop{next(NUMBERS)}"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "shop"
    (folder / "scripts").mkdir(parents=True)
    (folder / "blueprint.yaml").write_text(BLUEPRINT)
    (folder / "scripts" / "start.sh").write_text("#!/bin/sh\n")
    (folder / "scripts" / "stop.sh").symlink_to("start.sh")
    return folder


@pytest.fixture
def uploaded(cfy, name, folder):
    """A blueprint on the manager: its id."""
    cfy.json("blueprints", "upload", str(folder / "blueprint.yaml"), "-b", name)
    yield name
    cfy("blueprints", "delete", name)
