"""Whether SSL is on, as the manager says it."""

from __future__ import annotations

import pytest

REFUSED = "SSL cannot be disabled while the manager runs. Set `protocol`"


@pytest.fixture
def manager(cfy, managers):
    manager = managers.add(
        {
            "GET /ssl": (200, "SSL enabled"),
            "POST /ssl": (200, "SSL is already enabled on the manager"),
        }
    )
    cfy.profile(manager, port=managers.port)
    return manager


def test_its_state(cfy, manager):
    assert cfy("ssl", "status").stdout == "SSL enabled\n"
    assert cfy.json("ssl", "status") == "SSL enabled"
    assert manager.requests() == ["GET /ssl", "GET /ssl"]


@pytest.mark.parametrize(("command", "state"), [("enable", True), ("disable", False)])
def test_what_is_asked_for(cfy, manager, command, state):
    assert cfy("ssl", command).stdout == "SSL is already enabled on the manager\n"
    assert manager.seen[0].body == {"state": state}


def test_a_refusal_says_what_to_do(cfy, manager):
    manager.table["POST /ssl"] = (400, {"message": REFUSED, "error_code": "illegal_action_error"})
    result = cfy("ssl", "disable")
    assert result.exit_code == 1
    assert REFUSED in result.stderr
