"""Maintenance mode is asked for, and with ``--wait`` awaited."""

from __future__ import annotations

import pytest

ACTIVATE, DEACTIVATE = "POST /maintenance/activate", "POST /maintenance/deactivate"


def mode(status):
    return 200, {"status": status, "requested_by": "admin"}


@pytest.fixture
def manager(cfy, managers):
    manager = managers.add({ACTIVATE: mode("activating"), DEACTIVATE: mode("deactivated")})
    cfy.profile(manager, port=managers.port)
    return manager


def test_it_is_activated_in_the_manager_s_own_time(cfy, manager):
    assert cfy("maintenance-mode", "activate").stdout == "Maintenance mode is being activated.\n"
    assert manager.requests() == [ACTIVATE]


def test_or_awaited(cfy, manager):
    manager.table["GET /maintenance"] = [mode("activating"), mode("activated")]
    assert cfy("maintenance-mode", "activate", "--wait").stdout == "Maintenance mode is active.\n"
    assert manager.requests() == [ACTIVATE, "GET /maintenance", "GET /maintenance"]


def test_executions_that_do_not_end(cfy, manager):
    manager.table["GET /maintenance"] = mode("activating")
    result = cfy("maintenance-mode", "activate", "--wait", "--timeout", "0.05")
    assert result.exit_code == 5
    assert "cfy maintenance-mode status" in result.stderr


def test_deactivated(cfy, manager):
    assert cfy("maintenance-mode", "deactivate").stdout == "Maintenance mode is off.\n"
    assert manager.requests() == [DEACTIVATE]


@pytest.mark.parametrize(("action", "status"), [("activate", "activated"), ("deactivate", "deactivated")])
def test_what_is_so_already_is_no_error(cfy, manager, action, status):
    manager.table |= {f"POST /maintenance/{action}": (304, b""), "GET /maintenance": mode(status)}
    assert cfy.json("maintenance-mode", action)["status"] == status
