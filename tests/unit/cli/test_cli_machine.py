"""``cfy_manager`` as the way to the installer."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner

from cli.cfy_manager import main
from cli.machine import machine

INSTALLER = """
import json, sys
verb, file = sys.argv[-2:]
print(json.dumps({"say": "a step"}))
if verb == "stop":
    print(json.dumps({"error": "no way", "hint": "another way"}))
    sys.exit(1)
print(json.dumps({"done": f"{verb} {file}", "data": json.load(sys.stdin)}))
"""


@pytest.fixture
def cfy_manager(monkeypatch, tmp_path):
    """The command line, with an installer that only tells what it was asked for."""
    stand_in = tmp_path / "installer.py"
    stand_in.write_text(INSTALLER)
    real = machine.subprocess.Popen
    monkeypatch.setattr(
        machine.subprocess,
        "Popen",
        lambda command, **how: real([sys.executable, stand_in, *command[3:]], **how),
    )
    return lambda *words: CliRunner().invoke(main, ["--config-file", str(tmp_path / "m.toml"), *words])


def test_what_is_asked_for_reaches_the_installer(cfy_manager, monkeypatch):
    monkeypatch.setenv("CLOUDIFY_ADMIN_PASSWORD", "secret")
    words = ("install", "--host-ip", "10.0.0.1", "--rest-port", "8443", "--set", "files.sweep_every_s=5")
    told = cfy_manager(*words, "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout) == {
        "given": None,
        "settings": {"files.sweep_every_s": "5", "host_ip": "10.0.0.1", "ports.rest": "8443"},
        "unset": [],
        "admin_password": "secret",
    }


def test_a_change_reaches_the_installer_without_a_password(cfy_manager, monkeypatch):
    monkeypatch.setenv("CLOUDIFY_ADMIN_PASSWORD", "secret")
    told = cfy_manager("configure", "--unset", "public_ip", "--set", "priority=3", "--no-restart", "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout) == {
        "given": None,
        "settings": {"priority": "3"},
        "unset": ["public_ip"],
        "admin_password": None,
        "dry_run": False,
        "restart": False,
    }


def test_its_steps_and_its_end_are_shown(cfy_manager, tmp_path):
    told = cfy_manager("start")
    assert "a step" in told.stderr
    assert told.stdout == f"start {tmp_path / 'm.toml'}\n"


def test_its_error_ends_the_command(cfy_manager):
    told = cfy_manager("stop")
    assert told.exit_code == 1
    assert "no way" in told.stderr
    assert "another way" in told.stderr


def test_nothing_is_removed_without_saying_so_twice(cfy_manager):
    told = cfy_manager("remove")
    assert told.exit_code == 1
    assert "destroys" in told.stderr
    assert cfy_manager("remove", "-f").exit_code == 0


@pytest.mark.parametrize("wish", ["files", "=5"])
def test_a_setting_without_a_value(cfy_manager, wish):
    told = cfy_manager("install", "--set", wish)
    assert told.exit_code == 2
    assert "SECTION.KEY=VALUE" in told.stderr
