"""Restoring: a manager becomes, at once, what its snapshot says, or stays as it was."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support import uploads
from tests.support.archives import blueprint
from tests.support.rest import ADMIN, ManagerNode, RestClient, manager_node
from tests.support.snapshots import REVISION, archive, create, ended, messages, restore, upload
from tests.support.uploads import error_of, files_of

pytestmark = pytest.mark.integration

NEW_PASSWORD = "what the admin said later"
IDENTITY = ("roles", "tenants", "users", "users_tenants", "tokens", "provider_context")


@dataclass(frozen=True)
class Source:
    """A manager with something in it, and a snapshot of it."""

    rest: RestClient
    content: bytes

    def changed(self, **manifest: object) -> bytes:
        """The snapshot with another manifest."""
        return rewritten(self.content, lambda members: members["manifest.json"].update(manifest))


def rewritten(content: bytes, change) -> bytes:
    """A snapshot with other members; ``change`` is given them by name, the manifest as a dictionary."""
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    members["manifest.json"] = json.loads(members["manifest.json"])
    change(members)
    members["manifest.json"] = json.dumps(members["manifest.json"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for name, value in members.items():
            new.writestr(name, value)
    return out.getvalue()


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with manager_node() as node:
        node.process = node.start_process()
        rest = node.client()
        rest.post("/tenants/shops")
        rest.put("/users", {"username": "ann", "password": "a word of ann's", "role": "default"})
        rest.put("/tenants/users", {"username": "ann", "tenant_name": "shops", "role": "user"})
        ann = rest.as_user("ann", "a word of ann's", tenant="shops")
        uploads.upload(ann, "till")
        assert ann.put("/deployments/berlin", {"blueprint_id": "till", "inputs": {"size": 3}}).ok
        assert rest.post("/users/admin", {"password": NEW_PASSWORD}).ok
        rest.user = (ADMIN[0], NEW_PASSWORD)
        create(rest, "daily")
        yield Source(rest, archive(rest, "daily"))


@pytest.fixture
def target() -> Iterator[ManagerNode]:
    """A new manager."""
    with manager_node() as node:
        node.process = node.start_process()
        yield node


@pytest.fixture
def rest(target) -> RestClient:
    return target.client()


def as_in_source(rest: RestClient, source: Source) -> None:
    """The manager is what the source was when its snapshot was taken."""
    theirs = rest.as_user(ADMIN[0], NEW_PASSWORD)
    names = "_include=username,role,tenants,active"
    for path in (f"/users?{names}", "/tenants"):
        assert theirs.get(path).json() == source.rest.get(path).json(), path
    ann, there = (it.as_user("ann", "a word of ann's", tenant="shops") for it in (rest, source.rest))
    for path in ("/blueprints/till", "/deployments/berlin", "/nodes", "/node-instances", "/executions"):
        assert ann.get(path).json() == there.get(path).json(), path
    assert ann.get("/blueprints/till/archive").content == blueprint()


def test_a_new_manager_becomes_the_old_one(rest, target, source):
    upload(rest, "copy", source.content)
    begun = rest.post("/snapshots/copy/restore", {"force": False, "recreate_deployments_envs": True})
    assert begun.status_code == 200
    assert begun.json()["workflow_id"] == "restore_snapshot"
    theirs = rest.as_user(ADMIN[0], NEW_PASSWORD)
    execution = ended((rest, theirs), begun.json())
    assert (execution["status"], execution["error"]) == ("terminated", None)
    as_in_source(rest, source)

    said = messages(theirs, execution)
    assert said[0] == "Starting 'restore_snapshot' workflow execution"
    assert said[-1] == "'restore_snapshot' workflow execution succeeded"
    assert error_of(rest.get("/user")) == (401, "unauthorized_error")
    assert [item["id"] for item in theirs.get("/snapshots").json()["items"]] == ["copy"]
    assert archive(theirs, "copy") == source.content
    assert theirs.get("/snapshot-status").json() == {"status": "not-running"}


def test_life_goes_on_after_it(rest, source):
    upload(rest, "copy", source.content)
    theirs = rest.as_user(ADMIN[0], NEW_PASSWORD)
    ended((rest, theirs), rest.post("/snapshots/copy/restore", {}).json())
    ann = rest.as_user("ann", "a word of ann's", tenant="shops")
    assert ann.put("/deployments/rome", {"blueprint_id": "till", "inputs": {}}).status_code == 201
    assert uploads.upload(ann, "second").status_code == 201
    bob = {"username": "bob", "password": "a word of bob's", "role": "default"}
    assert theirs.put("/users", bob).status_code == 201
    assert theirs.post("/tenants/more").status_code == 201
    for path in ("/deployments/berlin", "/deployments/rome"):
        assert ann.delete(path).ok
    for name in ("till", "second"):
        assert ann.delete(f"/blueprints/{name}").ok
    assert create(theirs, "later")["status"] == "terminated"


def test_a_manager_that_is_not_empty_is_replaced_only_by_force(rest, target, source):
    uploads.upload(rest, "mine")
    upload(rest, "copy", source.content)
    refused = rest.post("/snapshots/copy/restore", {})
    assert error_of(refused) == (400, "snapshot_action_error")
    assert "1 blueprints" in refused.json()["message"]
    assert rest.get("/blueprints/mine").ok

    theirs = rest.as_user(ADMIN[0], NEW_PASSWORD)
    begun = rest.post("/snapshots/copy/restore", {"force": True}).json()
    assert ended((rest, theirs), begun)["status"] == "terminated"
    as_in_source(rest, source)
    assert not [file for file in files_of(target) if "/mine/" in file]


def test_a_snapshot_can_be_restored_where_it_was_made(rest, target):
    uploads.upload(rest, "kept")
    create(rest, "before")
    rest.delete("/blueprints/kept")
    uploads.upload(rest, "later")
    assert restore(rest, "before", force=True)["status"] == "terminated"
    assert [item["id"] for item in rest.get("/blueprints").json()["items"]] == ["kept"]
    assert rest.get("/blueprints/kept/archive").content == blueprint()
    assert restore(rest, "before", force=True)["status"] == "terminated"
    assert rest.get("/blueprints/kept/archive").content == blueprint()
    assert [item["status"] for item in rest.get("/snapshots").json()["items"]] == ["created"]
    assert not [file for file in files_of(target) if "/later/" in file]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"version": "99.1.0"}, ("99.1.0", "newer")),
        ({"revision": "9999"}, ("9999", REVISION, "newer")),
        ({"format": 2}, ("form 2",)),
    ],
)
def test_newer_snapshots_are_refused_with_both_versions(rest, source, manifest, words):
    answer = rest.request("PUT", "/snapshots/newer/archive", data=iter([source.changed(**manifest)]))
    if answer.ok:
        answer = rest.post("/snapshots/newer/restore", {})
    assert error_of(answer) == (400, "snapshot_action_error")
    assert all(word in answer.json()["message"] for word in words)
    assert rest.get("/executions?_include_system_workflows=true").json()["items"] == []


def test_an_older_snapshot_is_migrated(rest, source):
    def make_older(members):
        """As the first schema was: with nothing but users and tenants."""
        manifest = members["manifest.json"]
        manifest["version"], manifest["revision"] = "0.0.1", "0001"
        manifest["tables"] = [table for table in manifest["tables"] if table["name"] in IDENTITY]
        kept = {f"database/{name}.copy" for name in IDENTITY}
        manifest["sha256"] = {name: sha for name, sha in manifest["sha256"].items() if name in kept}
        for name in set(members) - kept - {"manifest.json"}:
            del members[name]

    upload(rest, "older", rewritten(source.content, make_older))
    theirs = rest.as_user(ADMIN[0], NEW_PASSWORD)
    execution = ended((rest, theirs), rest.post("/snapshots/older/restore", {}).json())
    assert execution["status"] == "terminated", execution["error"]
    ann = rest.as_user("ann", "a word of ann's", tenant="shops")
    assert ann.get("/blueprints").json()["items"] == []
    assert uploads.upload(ann, "till").status_code == 201


def damage(members):
    members["database/users.copy"] = members["database/users.copy"].replace(b"ann", b"eve")


def lose_a_row(members):
    name = "database/blueprints.copy"
    members[name] = b""
    members["manifest.json"]["sha256"][name] = hashlib.sha256(b"").hexdigest()


def lock_everybody_out(members):
    for name in ("users", "users_tenants", "tokens"):
        member = f"database/{name}.copy"
        members[member] = b""
        members["manifest.json"]["sha256"][member] = hashlib.sha256(b"").hexdigest()
        for table in members["manifest.json"]["tables"]:
            table["rows"] = 0 if table["name"] == name else table["rows"]


@pytest.mark.parametrize(
    ("change", "words"),
    [(damage, "damaged"), (lose_a_row, "rows"), (lock_everybody_out, "violates|administrator|wrong")],
)
def test_a_bad_snapshot_changes_nothing(rest, target, source, change, words):
    upload(rest, "bad", rewritten(source.content, change))
    before = files_of(target)
    execution = restore(rest, "bad")
    assert execution["status"] == "failed"
    assert re.search(words, execution["error"]), execution["error"]
    assert rest.get("/user").ok
    assert rest.get("/tenants").json()["items"][0]["name"] == "default_tenant"
    assert files_of(target) == before
    assert rest.get("/snapshots/bad").json()["status"] == "uploaded"


def test_what_belongs_to_the_manager_stays_whatever_the_snapshot_says(rest, source):
    rest.post("/tenants/mine")
    mine = rest.as_user(*ADMIN, tenant="mine")
    upload(mine, "copy", source.content)
    rest.post("/maintenance/activate")
    theirs = rest.as_user(ADMIN[0], NEW_PASSWORD, tenant="mine")
    begun = mine.post("/snapshots/copy/restore", {"force": True, "restore_certificates": True}).json()
    execution = ended((mine, theirs), begun)
    assert execution["status"] == "terminated", execution["error"]
    assert any("holds no certificates" in line for line in messages(theirs, execution))
    assert archive(theirs, "copy") == source.content
    assert theirs.get("/maintenance").json()["status"] == "activated"
    assert {item["name"] for item in theirs.get("/tenants").json()["items"]} == {
        "default_tenant",
        "mine",
        "shops",
    }


def test_what_ran_when_it_was_taken_has_failed(rest, source):
    """Nobody works on it here."""

    def start(members):
        name = "database/executions.copy"
        members[name] = members[name].replace(b"terminated", b"started")
        members["manifest.json"]["sha256"][name] = hashlib.sha256(members[name]).hexdigest()

    upload(rest, "copy", rewritten(source.content, start))
    theirs = rest.as_user(ADMIN[0], NEW_PASSWORD)
    ended((rest, theirs), rest.post("/snapshots/copy/restore", {}).json())
    ann = rest.as_user("ann", "a word of ann's", tenant="shops")
    [creation] = ann.get("/executions").json()["items"]
    assert creation["status"] == "failed"
    assert creation["error"] == "It was running when the snapshot was taken that has been restored."
