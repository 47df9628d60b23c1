"""Manager snapshots as clients make, list, fetch, upload and delete them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator

import pytest

from manager.models import Execution, Tenant
from manager.slots import WriteSlot
from tests.support import uploads
from tests.support.archives import blueprint
from tests.support.rest import ManagerNode
from tests.support.snapshots import REVISION, archive, create, ended, messages, storage_of, upload
from tests.support.uploads import error_of, files_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

KEYS = {"id", "created_at", "status", "error", "visibility", "tenant_name", "created_by"}


@pytest.fixture(autouse=True)
def clean(rest, node) -> Iterator[None]:
    """Nothing of it is left, nor of blueprints."""
    yield
    for item in rest.get("/snapshots?_all_tenants=true").json()["items"]:
        assert rest.delete(f"/snapshots/{item['id']}", headers={"Tenant": item["tenant_name"]}).ok
    uploads.remove_all(rest)
    eventually(lambda: files_of(node) == [], 10, "no file is left")


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def changed(content: bytes, **members: bytes | None) -> bytes:
    """A snapshot with other members; None: without."""
    out = io.BytesIO()
    with opened(content) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            if name not in members:
                new.writestr(name, old.read(name))
        for name, value in members.items():
            if value is not None:
                new.writestr(name, value)
    return out.getvalue()


def test_the_life_of_a_snapshot(rest, node, name):
    uploads.upload(rest, name)
    begun = rest.put(f"/snapshots/{name}", {"include_metrics": False, "queue": False})
    assert begun.status_code == 201
    assert begun.json()["workflow_id"] == "create_snapshot"
    assert begun.json()["is_system_workflow"] is True
    assert ended(rest, begun.json())["status"] == "terminated"

    listed = rest.get("/snapshots").json()["items"]
    assert [(item["id"], item["status"]) for item in listed] == [(name, "created")]
    assert set(listed[0]) >= KEYS
    assert rest.get(f"/snapshots/{name}").json() == listed[0]

    with opened(archive(rest, name)) as snapshot:
        manifest = json.loads(snapshot.read("manifest.json"))
        assert snapshot.testzip() is None
        [unit] = [member for member in snapshot.namelist() if member.startswith("units/")]
        assert snapshot.read(unit) == blueprint()
    assert manifest["revision"] == REVISION
    rows = {table["name"]: table["rows"] for table in manifest["tables"]}
    assert (rows["blueprints"], rows["tenants"]) == (1, len(rest.get("/tenants").json()["items"]))
    assert {"snapshots", "maintenance", "alembic_version"}.isdisjoint(rows)

    assert rest.delete(f"/snapshots/{name}").json()["id"] == name
    assert error_of(rest.get(f"/snapshots/{name}")) == (404, "not_found_error")
    assert error_of(rest.get(f"/snapshots/{name}/archive")) == (404, "not_found_error")


def test_what_it_does_can_be_read_while_it_does_it(rest, name):
    execution = create(rest, name)
    said = messages(rest, execution)
    assert said[0] == "Starting 'create_snapshot' workflow execution"
    assert said[-1] == "'create_snapshot' workflow execution succeeded"
    assert any(line.startswith("Written: ") for line in said)
    assert execution["id"] not in [item["id"] for item in rest.get("/executions").json()["items"]]
    shown = rest.get("/executions?_include_system_workflows=true").json()["items"]
    assert execution["id"] in [item["id"] for item in shown]


@pytest.mark.parametrize(("option", "kind"), [("include_logs", "log"), ("include_events", "event")])
def test_what_was_said_can_be_left_out(rest, name, option, kind):
    create(rest, f"{name}-first")
    create(rest, name, **{option: False})
    with opened(archive(rest, name)) as snapshot:
        told = snapshot.read("database/events.copy").decode()
        assert f"cloudify_{kind}" not in told
        assert "cloudify_" in told
        assert json.loads(snapshot.read("manifest.json"))["left_out"] == [f"cloudify_{kind}"]


def test_a_snapshot_holds_no_snapshots_and_not_its_own_execution(rest, name):
    first = create(rest, f"{name}-first")
    second = create(rest, name)
    with opened(archive(rest, name)) as snapshot:
        executions = snapshot.read("database/executions.copy").decode()
        assert not [member for member in snapshot.namelist() if member.startswith("units/")]
    assert first["id"] in executions
    assert second["id"] not in executions


def test_a_snapshot_goes_to_another_name_and_comes_back_the_same(rest, name):
    create(rest, name)
    content = archive(rest, name)
    uploaded = upload(rest, f"{name}-copy", content)
    assert (uploaded["status"], uploaded["id"]) == ("uploaded", f"{name}-copy")
    assert archive(rest, f"{name}-copy") == content


def killed_and_started_again(node: ManagerNode) -> None:
    node.process.kill()
    node.process.wait()
    node.process = node.start_process()


def test_an_upload_is_repeated_where_its_answer_may_be_lost(rest, node, name):
    create(rest, name)
    content, copy = archive(rest, name), f"/snapshots/{name}-copy/archive"
    upload(rest, f"{name}-copy", content)
    assert error_of(rest.request("PUT", copy, data=iter([content]))) == (409, "conflict_error")
    killed_and_started_again(node)
    assert rest.request("PUT", copy, data=iter([content])).status_code == 201
    assert error_of(rest.request("PUT", copy, data=iter([content]))) == (409, "conflict_error")


def test_a_name_that_is_taken(rest, name):
    create(rest, name)
    assert error_of(rest.put(f"/snapshots/{name}", {})) == (409, "conflict_error")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: b"", "no snapshot"),
        (lambda _: b"no zip at all", "no snapshot"),
        (lambda _: blueprint(), "no snapshot"),
        (lambda good: good[: len(good) // 2], "no snapshot"),
        (lambda good: changed(good, **{"manifest.json": None}), "no snapshot"),
        (lambda good: changed(good, **{"manifest.json": b"{}"}), "manifest cannot be read"),
        (lambda good: changed(good, **{"database/users.copy": None}), "does not hold"),
        (lambda good: changed(good, **{"../../etc/passwd": b"root"}), "does not hold"),
    ],
)
def test_what_is_no_snapshot_is_refused_and_nothing_is_kept(rest, node, name, make, words):
    create(rest, name)
    bad = make(archive(rest, name))
    answer = rest.request("PUT", f"/snapshots/{name}-bad/archive", data=iter([bad]))
    assert error_of(answer) == (400, "bad_parameters_error")
    assert words in answer.json()["message"]
    assert [item["id"] for item in rest.get("/snapshots").json()["items"]] == [name]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/snapshots", None),
        ("GET", "/snapshots/one", None),
        ("GET", "/snapshots/one/archive", None),
        ("GET", "/snapshot-status", None),
        ("PUT", "/snapshots/one", {}),
        ("PUT", "/snapshots/one/archive", {}),
        ("DELETE", "/snapshots/one", None),
        ("POST", "/snapshots/one/restore", {}),
    ],
)
def test_only_administrators_have_to_do_with_snapshots(rest, name, method, path, body):
    rest.put("/users", {"username": name, "password": "a password", "role": "default"})
    rest.put("/tenants/users", {"username": name, "tenant_name": "default_tenant", "role": "manager"})
    try:
        answer = rest.as_user(name, "a password").request(method, path, json=body)
        assert error_of(answer) == (403, "forbidden_error")
    finally:
        rest.delete(f"/users/{name}")


@pytest.mark.parametrize("wrong", ["%2E%2E", "a%20b", "x" * 257])
def test_ids_that_cannot_be(rest, wrong):
    assert error_of(rest.put(f"/snapshots/{wrong}", {}))[0] in {400, 404}


@pytest.fixture
def running(node, rest) -> Iterator[str]:
    """An execution of somebody else's that runs: its id."""
    storage = storage_of(node)
    with storage.writing(WriteSlot()) as session:
        tenant = session.query(Tenant).filter_by(name="default_tenant").one()
        session.add(
            Execution(id="busy", tenant_id=tenant.id, workflow_id="install", status="started", parameters={})
        )
    yield "busy"
    with storage.writing(WriteSlot()) as session:
        session.delete(session.query(Execution).filter_by(id="busy").one())
    storage.close()


def test_while_others_run_it_is_refused(rest, name, running):
    answer = rest.put(f"/snapshots/{name}", {})
    assert error_of(answer) == (400, "existing_running_execution_error")
    assert running in answer.json()["message"]
    assert rest.get("/snapshots").json()["items"] == []


def test_while_others_run_it_waits_if_it_may(rest, node, name, running):
    begun = rest.put(f"/snapshots/{name}", {"queue": True}).json()
    assert begun["status"] == "queued"
    assert rest.get(f"/snapshots/{name}").json()["status"] == "creating"
    refused = rest.delete(f"/snapshots/{name}")
    assert error_of(refused) == (400, "snapshot_action_error")
    assert error_of(rest.get(f"/snapshots/{name}/archive")) == (400, "snapshot_action_error")
    storage = storage_of(node)
    with storage.writing(WriteSlot()) as session:
        session.query(Execution).filter_by(id="busy").one().status = "terminated"
    storage.close()
    assert ended(rest, begun)["status"] == "terminated"
    assert rest.get(f"/snapshots/{name}").json()["status"] == "created"


def test_it_is_made_in_maintenance_mode_too(rest, name):
    rest.post("/maintenance/activate")
    try:
        assert create(rest, name)["status"] == "terminated"
    finally:
        rest.post("/maintenance/deactivate")


def test_one_whose_service_is_killed_has_failed(rest, node, name, running):
    begun = rest.put(f"/snapshots/{name}", {"queue": True}).json()
    killed_and_started_again(node)
    execution = ended(rest, begun)
    assert execution["status"] == "failed"
    assert "has ended before it was done" in execution["error"]
    assert messages(rest, begun)[-1].startswith("'create_snapshot' workflow execution failed")
    snapshot = rest.get(f"/snapshots/{name}").json()
    assert (snapshot["status"], snapshot["error"]) == ("failed", execution["error"])


def test_a_file_that_is_missing_makes_it_fail_with_its_name(rest, node, name):
    uploads.upload(rest, name)
    [file] = (node.config.paths.state / "files").rglob("archive")
    content = file.read_bytes()
    file.unlink()
    execution = create(rest, name)
    assert execution["status"] == "failed"
    assert f"blueprints/default_tenant/{name}/" in execution["error"]
    file.write_bytes(content)
