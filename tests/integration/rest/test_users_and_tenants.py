"""Users and tenants, from their making to their end, and the lists of them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from manager.gateway import settings_of
from manager.listing import parse
from manager.models import Tenant, User
from manager.pages import from_items, from_table
from manager.routes import tenants, users
from manager.storage import engine_for

pytestmark = pytest.mark.integration


def test_the_life_of_a_user(rest, name):
    created = rest.put("/users", {"username": name, "password": "the first one", "role": None})
    assert created.status_code == 201
    assert created.json()["role"] == "default"
    assert created.json()["last_login_at"] is None
    user = rest.as_user(name, "the first one", tenant=None)
    assert user.get("/user").json()["username"] == name
    assert user.get(f"/users/{name}").status_code == 200
    assert rest.get(f"/users/{name}").json()["last_login_at"] is not None

    assert rest.post(f"/users/{name}", {"role": "sys_admin"}).json()["role"] == "sys_admin"
    assert user.get("/users").status_code == 200

    assert rest.post(f"/users/active/{name}", {"action": "deactivate"}).json()["active"] is False
    assert user.get("/user").status_code == 401
    assert rest.post(f"/users/active/{name}", {"action": "activate"}).json()["active"] is True
    assert user.get("/user").status_code == 200

    deleted = rest.delete(f"/users/{name}")
    assert (deleted.status_code, deleted.json()["username"]) == (200, name)
    assert user.get("/user").status_code == 401
    assert rest.get(f"/users/{name}").status_code == 404


def test_a_new_password_ends_the_old_one_and_the_token_at_once(rest, name):
    rest.put("/users", {"username": name, "password": "the first one"})
    user = rest.as_user(name, "the first one", tenant=None)
    token = user.get("/tokens").json()["value"]
    bearer = rest.as_user(None, tenant=None, headers={"Authentication-Token": token})
    assert bearer.get("/user").status_code == 200
    assert user.post(f"/users/{name}", {"password": "the second one"}).status_code == 200
    assert user.get("/user").status_code == 401
    assert bearer.get("/user").status_code == 401
    assert rest.as_user(name, "the second one", tenant=None).get("/user").status_code == 200


def test_nobody_gives_himself_a_role(rest, name):
    rest.put("/users", {"username": name, "password": "the first one"})
    assert (
        rest.as_user(name, "the first one", tenant=None)
        .post(f"/users/{name}", {"role": "sys_admin"})
        .status_code
        == 403
    )


def test_names_of_users_do_not_differ_by_case(rest, name):
    rest.put("/users", {"username": name, "password": "the first one"})
    assert rest.put("/users", {"username": name.upper(), "password": "the second one"}).status_code == 409
    assert rest.as_user(name.upper(), "the first one", tenant=None).get("/user").json()["username"] == name
    assert rest.delete(f"/users/{name.upper()}").json()["username"] == name


def test_the_same_request_again_does_not_do_it_twice(rest, name):
    """As when a connection dropped behind the first."""
    assert rest.post(f"/tenants/{name}").status_code == 201
    again = rest.post(f"/tenants/{name}")
    assert (again.status_code, again.json()["error_code"]) == (409, "conflict_error")
    assert rest.put("/users", {"username": name, "password": "a password"}).status_code == 201
    again = rest.put("/users", {"username": name, "password": "a password"})
    assert (again.status_code, again.json()["error_code"]) == (409, "conflict_error")


def test_of_many_at_once_one_succeeds(rest, name):
    with ThreadPoolExecutor(8) as pool:
        requests = [pool.submit(rest.as_user(*rest.user).post, f"/tenants/{name}") for _ in range(8)]
        codes = sorted(request.result().status_code for request in requests)
    assert codes == [201] + 7 * [409]


def test_the_life_of_a_tenant(rest, name):
    assert rest.post(f"/tenants/{name}", {"rabbitmq_password": ""}).status_code == 201
    rest.put("/users", {"username": name, "password": "a password"})
    user = rest.as_user(name, "a password", tenant=None)
    assert user.get(f"/tenants/{name}").status_code == 403
    pair = {"username": name, "tenant_name": name}

    assert rest.put("/tenants/users", pair).json()["user_roles"]["direct"] == {name: "user"}
    assert user.get(f"/tenants/{name}").json()["users"] == 1
    assert [it["name"] for it in user.get("/tenants").json()["items"]] == [name]
    found = rest.get(f"/users/{name}?_get_data=true").json()
    assert found["tenants"] == {name: ["user"]}
    assert found["tenant_roles"] == {"direct": {name: "user"}, "groups": {}}

    changed = rest.patch("/tenants/users", {**pair, "role": "manager"})
    assert changed.json()["user_roles"]["direct"] == {name: "manager"}
    assert rest.patch("/tenants/users", {**pair, "role": "sys_admin"}).status_code == 400
    assert rest.patch("/tenants/users", pair).status_code == 400

    removed = rest.delete("/tenants/users", pair)
    assert (removed.status_code, removed.json()["users"]) == (200, 0)
    assert rest.delete("/tenants/users", pair).status_code == 404
    assert rest.patch("/tenants/users", {**pair, "role": "manager"}).status_code == 404

    rest.put("/tenants/users", pair)
    assert rest.delete(f"/tenants/{name}").json()["name"] == name
    assert rest.get(f"/users/{name}").json()["tenants"] == 0


def test_a_list(rest, name):
    names = [f"{name}-{letter}" for letter in "abc"]
    for it in names:
        rest.post(f"/tenants/{it}")
    asked = f"/tenants?_search={name}-&_sort=-name&_size=2&_include=name"
    assert rest.get(asked).json() == {
        "items": [{"name": names[2]}, {"name": names[1]}],
        "metadata": {"pagination": {"total": 3, "offset": 0, "size": 2}},
    }
    assert [it["name"] for it in rest.get(f"{asked}&_offset=2").json()["items"]] == [names[0]]
    assert rest.get("/tenants").json()["metadata"]["pagination"]["size"] == 1000
    both = rest.get(f"/tenants?name={names[0]}&name={names[2]}").json()
    assert [it["name"] for it in both["items"]] == [names[0], names[2]]
    everything = rest.get("/tenants?_size=1&_get_all_results=True").json()
    assert len(everything["items"]) == everything["metadata"]["pagination"]["total"] > 3


TEXT = st.text("aAbB%_-.~", min_size=1, max_size=4)
TIME = st.sampled_from(["2000-01-01", "2020-01-01T00:00:00.000Z", "2100-01-01", ""])
PARAMETERS = st.lists(
    st.one_of(
        st.tuples(st.just("username"), TEXT),
        st.tuples(st.just("role"), st.sampled_from(["default", "sys_admin"])),
        st.tuples(st.just("active"), st.sampled_from(["true", "False"])),
        st.tuples(st.just("_search"), TEXT),
        st.tuples(
            st.just("_sort"),
            st.sampled_from(["username", "-username", "role", "-active", "last_login_at", "-last_login_at"]),
        ),
        st.tuples(st.just("_offset"), st.integers(0, 5).map(str)),
        st.tuples(st.just("_size"), st.integers(0, 5).map(str)),
        st.tuples(
            st.just("_range"), st.builds("username,{},{}".format, TEXT | st.just(""), TEXT | st.just(""))
        ),
        st.tuples(st.just("_range"), st.builds("last_login_at,{},{}".format, TIME, TIME)),
    ),
    max_size=5,
)


@pytest.fixture(scope="module")
def database(node):
    engine = engine_for(settings_of(node.config).database, writers=1)
    yield engine
    engine.dispose()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(TEXT, max_size=8, unique_by=str.lower),
    logins=st.lists(
        st.sampled_from([None, "2010-05-05T05:05:05Z", "2030-05-05T05:05:05Z"]), min_size=8, max_size=8
    ),
    idle=st.sets(st.integers(0, 7)),
    parameters=PARAMETERS,
)
def test_a_table_is_listed_like_a_list_in_memory(database, names, logins, idle, parameters):
    """Two independent ways to the same answer; the data is rolled back."""
    mark = uuid.uuid4().hex
    with Session(database) as session:
        role = session.get(User, 1).role
        for place, name in enumerate(names):
            user = User(username=mark + name, password="", role=role, active=place not in idle)
            user.last_login_at = logins[place]
            session.add(user)
        session.flush()
        session.expire_all()
        query = parse(parameters)
        found, total = from_table(session, select(User).join(User.role), users.TABLE, query)
        everybody = session.scalars(select(User)).all()
        items = [
            {
                "username": it.username,
                "role": it.role.name,
                "active": it.active,
                "last_login_at": it.last_login_at,
            }
            for it in sorted(everybody, key=lambda it: it.username)
        ]
        expected, count = from_items(items, users.TABLE.fields, query, "username")
        names_found = [it.username for it in found]
        session.rollback()
    assert total == count
    assert names_found == [it["username"] for it in expected]


def test_every_field_that_can_be_compared_has_a_column():
    for resource in (users.TABLE, tenants.TABLE):
        comparable = {field for field, kind in resource.fields.items() if kind.name != "OPAQUE"}
        assert comparable == set(resource.columns)
    assert Tenant.__tablename__ == "tenants"
