"""The commands as such: what they are called, how they are listed, and that nothing slows their start."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from cli import cfy as cfy_program
from cli import cfy_manager as cfy_manager_program
from cli import reference
from cli.command import Group
from tests.unit.cli.scripted import items

PROGRAMS = (cfy_program.main, cfy_manager_program.main)


def commands(command, context):
    yield context, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            yield from commands(child, click.Context(child, info_name=name, parent=context))


def every_command():
    return [
        it for program in PROGRAMS for it in commands(program, click.Context(program, info_name=program.name))
    ]


def test_the_reference_says_what_the_commands_say():
    assert reference.PAGE.read_text() == reference.reference(), "run python -m cli.reference"


def test_every_command_has_the_common_options_and_a_help():
    for context, command in every_command():
        options = {name for param in command.params for name in param.opts}
        assert {"--json", "-q", "-v"} <= options, context.command_path
        assert command.help, context.command_path


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_late_command_is_listed_with_its_own_first_sentence(program):
    for _, command in commands(program, click.Context(program)):
        if isinstance(command, Group):
            listed = {name: line for name, (_, line) in command.all_late.items()}
            real = {name: command.commands[name].get_short_help_str(100) for name in listed}
            assert listed == real


SLOW = {"rich", "requests", "urllib3", "celery", "yaml"}


@pytest.mark.parametrize(
    ("program", "slow"),
    [
        ("import cli.cfy", SLOW | {"ssl", "http.client"}),
        ("from cli import cfy, reference; reference.reference()", SLOW),
    ],
)
def test_what_starts_slowly_is_not_imported_before_it_is_needed(program, slow):
    """Neither by the program, nor by any of its commands for their help."""
    command = [sys.executable, "-c", f"{program}; import sys; print(*sys.modules)"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not slow & set(loaded)


def test_a_mistyped_command_gets_a_suggestion(cfy):
    result = cfy("clustr")
    assert result.exit_code == 2
    assert "cluster" in result.stderr


class TestOutput:
    def test_quiet_leaves_results(self, cfy, managers):
        cfy.profile(managers.add({"GET /users": items({"username": "ann"})}), port=managers.port)
        assert "ann" in cfy("users", "list", "-q").stdout
        assert cfy("profiles", "set", "-t", "x", "-q").output == ""


class TestUsage:
    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (("executions", "start", "install", "--json"), "Missing option '-d'"),
            (("--json", "clustr"), "No such command 'clustr'"),
            (("status", "--nope", "--json"), "No such option '--nope'"),
            (("--nope", "--json", "status"), "No such option '--nope'"),
        ],
    )
    def test_a_wrong_command_line_is_json_for_who_asks_for_json(self, cfy, words, complaint):
        result = cfy(*words)
        assert result.exit_code == 2
        error = json.loads(result.stderr)["error"]
        assert complaint in error["message"]
        assert error["exit_code"] == 2

    def test_and_the_usage_for_everybody_else(self, cfy):
        assert cfy("executions", "start", "install").stderr.startswith("Usage: cfy executions start")

    @pytest.mark.parametrize("words", [("-h",), ("cluster", "-h"), ("cluster", "nodes", "list", "-h")])
    def test_help_has_a_short_name(self, cfy, words):
        assert cfy(*words).stdout.startswith("Usage: cfy")


class TestErrors:
    @pytest.fixture
    def broken(self, cfy, managers):
        """An answer that no manager gives, and that no command expects."""
        cfy.profile(managers.add({"GET /users": (200, {"nonsense": 1})}), port=managers.port)

    def test_a_mistake_of_ours_is_a_message(self, cfy, broken):
        result = cfy("users", "list")
        assert result.exit_code == 1
        assert "should not have happened" in result.stderr

    def test_and_a_traceback_for_who_wants_one(self, cfy, broken):
        assert "Traceback" in cfy("users", "list", "-vv").stderr

    def test_interrupted(self, cfy, managers, monkeypatch):
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr("cli.commands.profiles.Profile.without_secrets", interrupt)
        cfy.profile(managers.add({}), port=managers.port)
        result = cfy("profiles", "list")
        assert result.exit_code == 130
        assert "Interrupted" in result.stderr


class TestTenantsAndTokens:
    @pytest.fixture
    def manager(self, cfy, managers):
        tenant = {"name": "t1", "users": {"ann": "user"}}
        table = {
            "POST /tenants/t1": (201, tenant),
            "GET /tenants/t1": (200, tenant),
            "GET /tenants": items(tenant),
            "DELETE /tenants/t1": (200, tenant),
            "PUT /tenants/users": (200, tenant),
            "PATCH /tenants/users": (200, tenant),
            "DELETE /tenants/users": (200, tenant),
            "GET /tokens": (200, {"username": "admin", "value": "abc", "role": "sys_admin"}),
            "GET /maintenance": (200, {"status": "deactivated"}),
            "POST /users/ann": (200, {"username": "ann"}),
            "POST /users/active/ann": (200, {"username": "ann"}),
        }
        manager = managers.add(table)
        cfy.profile(manager, port=managers.port)
        return manager

    @pytest.mark.parametrize(
        ("args", "request_line", "body"),
        [
            (["tenants", "create", "t1"], "POST /tenants/t1", None),
            (["tenants", "get", "t1"], "GET /tenants/t1?_get_data=true", None),
            (["tenants", "list"], "GET /tenants?_get_data=true", None),
            (["tenants", "delete", "t1"], "DELETE /tenants/t1", None),
            (
                ["tenants", "add-user", "ann", "-t", "t1"],
                "PUT /tenants/users",
                {"username": "ann", "tenant_name": "t1", "role": "user"},
            ),
            (
                ["tenants", "update-user", "ann", "-t", "t1", "-r", "viewer"],
                "PATCH /tenants/users",
                {"username": "ann", "tenant_name": "t1", "role": "viewer"},
            ),
            (
                ["tenants", "remove-user", "ann", "-t", "t1"],
                "DELETE /tenants/users",
                {"username": "ann", "tenant_name": "t1"},
            ),
            (["users", "set-role", "ann", "-r", "sys_admin"], "POST /users/ann", {"role": "sys_admin"}),
            (["users", "deactivate", "ann"], "POST /users/active/ann", {"action": "deactivate"}),
            (["users", "activate", "ann"], "POST /users/active/ann", {"action": "activate"}),
            (["maintenance-mode", "status"], "GET /maintenance", None),
        ],
    )
    def test_requests(self, cfy, manager, args, request_line, body):
        result = cfy(*args)
        assert result.exit_code == 0, result.stderr
        assert manager.requests() == [request_line]
        assert manager.seen[0].body == body

    def test_a_token_is_printed_alone(self, cfy, manager):
        assert cfy("tokens", "get").stdout == "abc\n"

    def test_a_name_cannot_break_out_of_the_path(self, cfy, manager):
        cfy("users", "get", "..?x#y")
        assert manager.requests() == ["GET /users/..%3Fx%23y?_get_data=true"]

    @pytest.mark.parametrize("name", ["../status", "a/b", ""])
    def test_what_would_be_another_path_is_no_name(self, cfy, manager, name):
        result = cfy("users", "get", name)
        assert result.exit_code == 2
        assert "cannot be a name" in result.stderr
        assert manager.requests() == []
