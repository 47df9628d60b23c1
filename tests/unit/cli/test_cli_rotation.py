"""Which member is asked, in which order, and what happens when one does not answer or does not lead."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.unit.cli.scripted import DROP, NOT_LEADER, REMOVED, UNAUTHORIZED, error, items

USER = {"username": "ann", "role": "default", "active": True, "tenants": []}


def leader(**more):
    return {"GET /users": items(USER), **more}


def test_the_first_member_that_leads_answers(cfy, managers):
    first, second, third = (managers.add(it) for it in ({"*": NOT_LEADER}, {"*": REMOVED}, leader()))
    cfy.profile(first, second, third, port=managers.port)
    assert cfy.json("users", "list")[0]["username"] == "ann"
    assert [len(manager.seen) for manager in (first, second, third)] == [1, 1, 1]


def test_the_leader_is_remembered_for_the_next_call(cfy, managers):
    first, second = managers.add({"*": NOT_LEADER}), managers.add(leader())
    cfy.profile(first, second, port=managers.port)
    cfy.json("users", "list")
    cfy.json("users", "list")
    assert cfy.store.get("here").leader == second.address
    assert len(first.seen) == 1


def test_within_a_call_the_leader_is_asked_first(cfy, managers):
    status = {"status": "running", "services": []}
    second = {"GET /status": (200, status), "GET /maintenance": (200, {"status": "deactivated"})}
    first, second = managers.add({"*": NOT_LEADER}), managers.add(second)
    cfy.profile(first, second, port=managers.port)
    cfy.json("status")
    assert len(first.seen) == 1


def test_a_member_that_is_down_is_passed_over(cfy, managers):
    up = managers.add(leader())
    profile = cfy.profile(up, port=managers.port)
    cfy.store.save(replace(profile, leader="127.94.255.254"))
    assert cfy.json("users", "list")


def test_nobody_leads(cfy, managers):
    first, second = managers.add({"*": NOT_LEADER}), managers.add({"*": NOT_LEADER})
    cfy.profile(first, second, port=managers.port)
    result = cfy("users", "list")
    assert result.exit_code == 3
    assert "No manager leads" in result.stderr
    assert first.address in result.stderr
    assert "not the active manager" in result.stderr
    assert len(first.seen) == len(second.seen) == 1


def test_nobody_answers(cfy, managers):
    manager = managers.add({})
    cfy.profile(manager, port=managers.port)
    managers.close()
    managers.__init__()
    result = cfy("users", "list")
    assert result.exit_code == 3
    assert "No manager could be reached" in result.stderr
    assert "refused the connection" in result.stderr


def test_a_removed_manager_says_so(cfy, managers):
    cfy.profile(managers.add({"*": REMOVED}), port=managers.port)
    result = cfy("users", "list")
    assert result.exit_code == 3
    assert "was removed from its cluster" in result.stderr


def test_json_tells_what_each_member_answered(cfy, managers):
    first, second = managers.add({"*": NOT_LEADER}), managers.add({"*": DROP})
    cfy.profile(first, second, port=managers.port)
    result = cfy("users", "list", "--json")
    told = json.loads(result.stderr)["error"]
    assert told["exit_code"] == 3
    assert [it["error_code"] for it in told["asked"]] == ["not_cluster_master", None]


CREATE = ("users", "create", "ann", "-p", "pw")


def test_a_dropped_put_is_repeated_on_the_next_member(cfy, managers):
    first = managers.add({"PUT /users": DROP, "*": NOT_LEADER})
    second = managers.add({"PUT /users": (201, USER)})
    cfy.profile(first, second, port=managers.port)
    assert cfy.json(*CREATE) == USER
    assert (
        first.seen[0].body == second.seen[0].body == {"username": "ann", "password": "pw", "role": "default"}
    )


def test_a_conflict_after_a_dropped_put_counts_as_done(cfy, managers):
    first = managers.add({"PUT /users": DROP, "*": NOT_LEADER})
    second = managers.add(
        {"PUT /users": error(409, "conflict_error", "exists"), "GET /users/ann": (200, USER)}
    )
    cfy.profile(first, second, port=managers.port)
    assert cfy.json(*CREATE) == USER


def test_a_conflict_without_a_drop_is_a_refusal(cfy, managers):
    first = managers.add({"*": NOT_LEADER})
    second = managers.add({"PUT /users": error(409, "conflict_error", "User ann exists")})
    cfy.profile(first, second, port=managers.port)
    result = cfy(*CREATE)
    assert result.exit_code == 1
    assert "User ann exists" in result.stderr


def test_a_refused_connection_is_no_drop(cfy, managers):
    up = managers.add({"PUT /users": error(409, "conflict_error", "User ann exists")})
    profile = cfy.profile(up, port=managers.port)
    cfy.store.save(replace(profile, leader="127.94.255.254"))
    assert cfy(*CREATE).exit_code == 1


def test_a_user_that_is_gone_after_a_dropped_delete_was_deleted(cfy, managers):
    first = managers.add({"DELETE /users/ann": DROP})
    second = managers.add({"DELETE /users/ann": error(404, "not_found_error", "no ann")})
    cfy.profile(first, second, port=managers.port)
    assert cfy("users", "delete", "ann").exit_code == 0


def test_a_drop_without_another_member_leaves_it_open(cfy, managers):
    cfy.profile(managers.add({"PUT /users": DROP}), port=managers.port)
    result = cfy(*CREATE)
    assert result.exit_code == 3
    assert "may have been carried out" in result.stderr


def test_a_wrong_password_is_no_reason_to_ask_others(cfy, managers):
    first, second = managers.add({"*": UNAUTHORIZED}), managers.add(leader())
    cfy.profile(first, second, port=managers.port)
    result = cfy("users", "list")
    assert result.exit_code == 4
    assert "wrong password" in result.stderr
    assert "cfy profiles set" in result.stderr
    assert not second.seen


@pytest.mark.parametrize(
    ("status", "code", "exit_code"), [(403, "forbidden_error", 4), (500, "internal_server_error", 1)]
)
def test_errors_keep_what_the_manager_said(cfy, managers, status, code, exit_code):
    cfy.profile(managers.add({"*": error(status, code, "a sentence")}), port=managers.port)
    result = cfy("users", "list", "--json")
    told = json.loads(result.stderr)["error"]
    assert result.exit_code == exit_code
    assert (told["status"], told["error_code"], told["message"]) == (status, code, "a sentence")


def test_something_that_is_no_manager(cfy, managers):
    cfy.profile(managers.add({"*": (502, b"<html>bad gateway</html>")}), port=managers.port)
    result = cfy("users", "list")
    assert result.exit_code == 1
    assert "HTTP 502" in result.stderr


def test_lists_of_several_pages_are_read_to_the_end(cfy, managers):
    def page(seen):
        offset = int(seen.query.partition("_offset=")[2] or 0)
        entries = [{"username": f"u{number}"} for number in range(offset, min(offset + 2, 5))]
        return 200, {"items": entries, "metadata": {"pagination": {"total": 5, "offset": offset, "size": 2}}}

    cfy.profile(managers.add({"GET /users": page}), port=managers.port)
    assert [user["username"] for user in cfy.json("users", "list")] == [f"u{number}" for number in range(5)]


def test_headers(cfy, managers):
    manager = managers.add(leader())
    cfy.profile(manager, port=managers.port, tenant="t1")
    cfy.json("users", "list")
    cfy.profile(manager, port=managers.port, token="abc")
    cfy.json("users", "list")
    basic, token = (seen.headers for seen in manager.seen)
    assert basic["Authorization"] == "Basic YWRtaW46c2VjcmV0"
    assert basic["Tenant"] == "t1"
    assert basic["Content-type"] == "application/json"
    assert token["Authentication-Token"] == "abc"
    assert "Authorization" not in token


def test_requests_are_shown_with_v_and_secrets_never(cfy, managers):
    cfy.profile(managers.add({"PUT /users": (201, USER)}), port=managers.port)
    result = cfy(*CREATE, "-vv")
    assert "PUT http://" in result.stderr
    assert "secret" not in result.output
    assert "pw" not in result.output
