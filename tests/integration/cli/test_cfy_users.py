"""Users and tenants, from the command line to a real manager."""

from __future__ import annotations

import pytest

from cli import session

pytestmark = pytest.mark.integration


@pytest.fixture
def tenant(cfy, name):
    """A tenant: its name."""
    cfy.json("tenants", "create", f"{name}-tenant")
    yield f"{name}-tenant"
    cfy("tenants", "delete", f"{name}-tenant")


@pytest.fixture
def user(cfy, name):
    """A user who belongs to no tenant: the name."""
    cfy.json("users", "create", f"{name}-user", "-p", "the first one")
    yield f"{name}-user"
    cfy("users", "delete", f"{name}-user")


@pytest.fixture
def acting(cfy, user, monkeypatch):
    """Runs ``cfy`` as that user, with a password."""

    def acting(password, *args):
        monkeypatch.setenv(session.PASSWORD_VARIABLE, password)
        cfy("profiles", "set", "-u", user)
        try:
            return cfy(*args)
        finally:
            monkeypatch.delenv(session.PASSWORD_VARIABLE)
            cfy("profiles", "set", "-u", "admin")

    return acting


def roles(cfy, tenant):
    return cfy.json("tenants", "get", tenant)["user_roles"]["direct"]


def test_a_user_in_a_tenant(cfy, user, tenant):
    cfy.json("tenants", "add-user", user, "-t", tenant, "-r", "viewer")
    assert roles(cfy, tenant) == {user: "viewer"}
    cfy.json("tenants", "update-user", user, "-t", tenant, "-r", "manager")
    assert roles(cfy, tenant) == {user: "manager"}
    cfy.json("tenants", "remove-user", user, "-t", tenant)
    assert roles(cfy, tenant) == {}


def test_a_user_who_is_created_for_a_tenant(cfy, name, tenant):
    created = cfy.json("users", "create", name, "-p", "the first one", "-t", tenant, "-l", "operations")
    assert created["tenant_roles"]["direct"] == {tenant: "operations"}
    assert roles(cfy, tenant) == {name: "operations"}
    assert cfy("users", "delete", name).exit_code == 0


def test_what_a_viewer_may_not(cfy, acting, user, tenant, folder):
    cfy.json("tenants", "add-user", user, "-t", tenant, "-r", "viewer")
    assert acting("the first one", "blueprints", "list", "-t", tenant).exit_code == 0
    upload = ("blueprints", "upload", str(folder / "blueprint.yaml"), "-t", tenant)
    result = acting("the first one", *upload)
    assert result.exit_code == 4
    assert "role does not allow" in result.stderr


def test_a_new_password(cfy, acting, user, tenant):
    cfy.json("tenants", "add-user", user, "-t", tenant)
    cfy.json("users", "set-password", user, "-p", "the second one")
    assert acting("the first one", "blueprints", "list", "-t", tenant).exit_code == 4
    assert acting("the second one", "blueprints", "list", "-t", tenant).exit_code == 0


def test_shut_out_and_let_in(cfy, acting, user, tenant):
    cfy.json("tenants", "add-user", user, "-t", tenant)
    cfy.json("users", "deactivate", user)
    assert acting("the first one", "blueprints", "list", "-t", tenant).exit_code == 4
    cfy.json("users", "activate", user)
    assert acting("the first one", "blueprints", "list", "-t", tenant).exit_code == 0


def test_a_user_who_is_not_locked_can_be_unlocked(cfy, user):
    assert cfy.json("users", "unlock", user)["is_locked"] is False


def test_roles_in_the_system(cfy, user):
    assert cfy.json("users", "set-role", user, "-r", "sys_admin")["role"] == "sys_admin"
    listed = {it["username"]: it["role"] for it in cfy.json("users", "list", "--search", user)}
    assert listed == {user: "sys_admin"}


def test_a_token_stands_for_the_password(cfy, user):
    token = cfy("tokens", "get").stdout.strip()
    assert cfy("profiles", "set", "--token", token).exit_code == 0
    assert user in [it["username"] for it in cfy.json("users", "list")]
