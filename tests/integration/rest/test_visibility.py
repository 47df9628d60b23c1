"""Who sees and changes which blueprint: roles, tenants and visibility, as a table of who may do what."""

from __future__ import annotations

import pytest

from tests.support.uploads import error_of, remove_all, upload

pytestmark = pytest.mark.integration

PASSWORD = "a password"
ROLES = ["manager", "user", "operations", "viewer"]


HERE, THERE = "visible-here", "visible-there"


@pytest.fixture(scope="module")
def everybody(node):
    """A tenant with one user of each role and one more, and another tenant with a manager of its own."""
    admin = node.client()
    people = [(role, HERE, role) for role in ROLES]
    people += [("stranger", THERE, "manager"), ("other", HERE, "user")]
    for tenant in (HERE, THERE):
        assert admin.post(f"/tenants/{tenant}").status_code == 201
    for person, tenant, role in people:
        assert admin.put("/users", {"username": person, "password": PASSWORD}).status_code == 201
        added = {"username": person, "tenant_name": tenant, "role": role}
        assert admin.put("/tenants/users", added).status_code == 200
    clients = {person: admin.as_user(person, PASSWORD, tenant=tenant) for person, tenant, _ in people}
    yield {**clients, "admin": admin.as_user(*admin.user, tenant=HERE)}
    for person, _, _ in people:
        admin.delete(f"/users/{person}")
    for tenant in (HERE, THERE):
        assert admin.delete(f"/tenants/{tenant}").status_code == 200


@pytest.fixture
def people(everybody, rest):
    yield everybody
    remove_all(rest)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("admin", True), ("manager", True), ("user", True), ("operations", False), ("viewer", False)],
)
def test_who_may_upload_change_and_delete(people, name, role, allowed):
    assert upload(people["manager"], f"{name}-b").status_code == 201
    one = people[role]
    done = upload(one, name)
    assert done.status_code == (201 if allowed else 403)
    if not allowed:
        assert error_of(done) == (403, "forbidden_error")
    assert one.get(f"/blueprints/{name}-b").status_code == 200
    assert one.get(f"/blueprints/{name}-b/archive").status_code == 200
    assert one.delete(f"/blueprints/{name}-b").status_code == (200 if allowed else 403)


SEEN = [
    # visibility, by whom it is seen, beside the user who made it
    ("private", {"admin", "manager"}),
    ("tenant", {"admin", "manager", "other", "operations", "viewer"}),
    ("global", {"admin", "manager", "other", "operations", "viewer", "stranger"}),
]


@pytest.mark.parametrize(("visibility", "seen_by"), SEEN)
def test_who_sees_what(people, name, visibility, seen_by):
    maker = people["manager" if visibility == "global" else "user"]
    assert upload(maker, name, query=f"?visibility={visibility}").status_code == 201
    for person in people.keys() - {"user"}:
        seen = person in seen_by
        listed = [item["id"] for item in people[person].get("/blueprints").json()["items"]]
        assert (name in listed) is seen, person
        assert people[person].get(f"/blueprints/{name}").status_code == (200 if seen else 404), person
        assert people[person].get(f"/blueprints/{name}/archive").status_code == (200 if seen else 404), person
    assert maker.get(f"/blueprints/{name}").status_code == 200


def test_what_is_global_is_changed_in_its_own_tenant_only(people, name):
    upload(people["manager"], name, query="?visibility=global")
    stranger = people["stranger"]
    assert stranger.get(f"/blueprints/{name}").status_code == 200
    assert error_of(stranger.delete(f"/blueprints/{name}")) == (404, "not_found_error")


def test_one_id_in_two_tenants_means_two_blueprints(people, rest, name):
    assert upload(people["user"], name).status_code == 201
    assert upload(people["stranger"], name).status_code == 201
    assert people["user"].get(f"/blueprints/{name}").json()["tenant_name"] == HERE
    assert people["stranger"].get(f"/blueprints/{name}").json()["tenant_name"] == THERE
    everywhere = rest.get(f"/blueprints?_all_tenants=true&id={name}&_sort=tenant_name").json()["items"]
    assert [item["tenant_name"] for item in everywhere] == [HERE, THERE]
    mine = people["user"].get(f"/blueprints?_all_tenants=true&id={name}").json()["items"]
    assert [item["tenant_name"] for item in mine] == [HERE]
    assert people["user"].delete(f"/blueprints/{name}").status_code == 200
    assert people["stranger"].get(f"/blueprints/{name}/archive").status_code == 200


def test_a_global_id_is_alone(people, name):
    assert upload(people["manager"], name, query="?visibility=global").status_code == 201
    assert error_of(upload(people["stranger"], name)) == (409, "conflict_error")


def test_an_id_that_others_have_cannot_become_global(people, name):
    upload(people["stranger"], name)
    upload(people["manager"], name)
    wider = people["manager"].patch(f"/blueprints/{name}/set-visibility", {"visibility": "global"})
    assert error_of(wider) == (409, "conflict_error")


WIDER = [
    # from, to, status
    ("private", "tenant", 200),
    ("private", "global", 200),
    ("tenant", "global", 200),
    ("tenant", "tenant", 400),
    ("global", "tenant", 400),
    ("tenant", "private", 400),
    ("tenant", "everybody", 400),
]


@pytest.mark.parametrize(("before", "after", "status"), WIDER)
def test_visibility_only_grows(people, name, before, after, status):
    upload(people["manager"], name, query=f"?visibility={before}")
    answer = people["manager"].patch(f"/blueprints/{name}/set-visibility", {"visibility": after})
    assert answer.status_code == status
    now = people["manager"].get(f"/blueprints/{name}").json()
    assert now["visibility"] == (after if status == 200 else before)
    assert (now["updated_at"] is not None) is (status == 200)


def test_a_user_cannot_make_anything_global(people, name):
    assert error_of(upload(people["user"], name, query="?visibility=global")) == (403, "forbidden_error")
    upload(people["user"], name)
    wider = people["user"].patch(f"/blueprints/{name}/set-visibility", {"visibility": "global"})
    assert error_of(wider) == (403, "forbidden_error")


def test_what_a_user_made_stays_when_he_goes(people, rest, name):
    rest.put("/users", {"username": name, "password": PASSWORD})
    rest.put("/tenants/users", {"username": name, "tenant_name": HERE, "role": "user"})
    assert upload(rest.as_user(name, PASSWORD, tenant=HERE), name).status_code == 201
    assert rest.delete(f"/users/{name}").status_code == 200
    left = people["admin"].get(f"/blueprints/{name}").json()
    assert (left["id"], left["created_by"]) == (name, None)


def test_a_tenant_with_blueprints_stays(people, rest, name):
    upload(people["user"], name)
    assert rest.delete(f"/tenants/{HERE}").status_code == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_without_a_tenant_nothing_is_done(rest, name, method):
    lost = rest.as_user(*rest.user, tenant=None)
    assert error_of(lost.request(method, f"/blueprints/{name}")) == (403, "forbidden_error")
    assert error_of(lost.request("GET", "/blueprints")) == (403, "forbidden_error")
