"""A restore that is killed leaves the manager as it was, or as the snapshot says, and nothing between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, text

from manager.auth import Caller
from manager.gateway import settings_of
from manager.models import ADMIN_ROLE, Tenant, User
from manager.patience import WriteSlot
from manager.snapshots import labour
from manager.snapshots.labour import RESTORATION, Order
from manager.tenancy import Scope
from tests.support import uploads
from tests.support.archives import blueprint
from tests.support.rest import TENANT, ManagerNode, RestClient, manager_node
from tests.support.snapshots import archive, create, ended, messages, restore, storage_of, upload
from tests.support.uploads import files_of
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

TIMEOUT_S = 60
OPTIONS = {
    **dict.fromkeys(("restore_certificates", "no_reboot", "ignore_plugin_failure", "force"), False),
    "recreate_deployments_envs": True,
}

# Runs in the process that restores: one of its functions does something before, instead or after.
PROGRAM = """
import os, signal, subprocess, sys
from manager.files import Unit
from manager.gateway import Gateway
from manager.snapshots import __main__ as program, loading, restoring
from manager.snapshots.loading import Swap
from manager.snapshots.restoring import Restoration

def die(): os.kill(os.getpid(), signal.SIGKILL)
def run(*command): subprocess.run(command, check=True)

owner, name, real = {owner}, {name!r}, {owner}.{name}
def changed(*arguments, **named):
    {before}
    result = real(*arguments, **named)
    {after}
    return result
setattr(owner, name, changed)
sys.argv = ["", {execution!r}]
sys.exit(program.main())
"""


@pytest.fixture(scope="module")
def node() -> Iterator[ManagerNode]:
    """A manager with a blueprint; its snapshot ``taken`` has another one."""
    with manager_node("127.93.12.1") as node:
        node.process = node.start_process()
        rest = node.client()
        uploads.upload(rest, "theirs")
        create(rest, "taken")
        content = archive(rest, "taken")
        for path in ("/snapshots/taken", "/blueprints/theirs"):
            assert rest.delete(path).ok
        uploads.upload(rest, "ours")
        upload(rest, "taken", content)
        yield node


@pytest.fixture
def rest(node) -> RestClient:
    return node.client()


def blueprints(rest: RestClient) -> list[str]:
    """Their ids; each has its file."""
    names = [item["id"] for item in rest.get("/blueprints").json()["items"]]
    assert all(rest.get(f"/blueprints/{name}/archive").content == blueprint() for name in names)
    return names


def beside(node: ManagerNode) -> list[str]:
    """What lies in the staging folder, and the locks."""
    return [file for file in files_of(node) if not file.startswith("files/")]


def run_changed(node: ManagerNode, *, force: bool, **program: Any) -> dict[str, str]:
    """Restore ``taken`` in a process that goes wrong as ``PROGRAM`` says; its execution."""
    storage, folders = storage_of(node), settings_of(node.config).folders
    execution_id = labour.new_id()
    descriptor = labour.claim(folders, execution_id)
    with storage.writing(WriteSlot()) as session:
        tenant = session.scalars(select(Tenant).where(Tenant.name == TENANT)).one()
        user = session.scalars(select(User)).one()
        scope = Scope(Caller(user.id, user.username, ADMIN_ROLE), tenant.id, tenant.name, None)
        order = Order(RESTORATION, "taken", {**OPTIONS, "force": force})
        labour.begin(session, scope, order, execution_id)
    storage.close()
    usual = {"before": "pass", "after": "pass", "execution": execution_id}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(**usual | program)],
        env={**os.environ, "CLOUDIFY_CONFIG": str(node.file)},
        stdin=subprocess.PIPE,
        pass_fds=(descriptor,),
    )
    os.close(descriptor)
    try:
        process.wait(TIMEOUT_S)
    finally:
        process.kill()
        process.communicate()
    return {"id": execution_id}


def uploading(node: ManagerNode, name: str) -> list[str]:
    """A command that uploads a blueprint."""
    client = node.client()
    program = (
        "from pathlib import Path; from tests.support.rest import RestClient; "
        "from tests.support import uploads;"
        f"assert uploads.upload(RestClient({client.base!r}, Path({str(client.ca_file)!r})), {name!r}).ok"
    )
    return [sys.executable, "-c", program]


def test_what_is_uploaded_while_it_goes_on_is_not_replaced_without_force(node, rest):
    assert rest.delete("/blueprints/ours").ok
    client = repr(uploading(node, "ours"))
    execution = run_changed(node, force=False, owner="Restoration", name="place", after=f"run(*{client})")
    failed = ended(rest, execution)
    assert failed["status"] == "failed"
    assert "not empty" in failed["error"]
    assert blueprints(rest) == ["ours"]
    # What it had brought was taken away again.
    assert not [file for file in files_of(node) if "/theirs/" in file]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("Restoration", "verify"),
        ("Restoration", "unpack"),
        ("loading", "load"),
        ("Unit", "place"),
        ("Restoration", "place"),
        ("Swap", "lock"),
        ("Swap", "keep"),
        ("Swap", "move"),
        ("Restoration", "swap"),
    ],
)
def test_killed_before_its_end_it_has_changed_nothing(node, rest, owner, name):
    execution = run_changed(node, force=True, owner=owner, name=name, after="die()")
    failed = ended(rest, execution)
    assert failed["status"] == "failed"
    assert "has ended before it was done" in failed["error"]
    assert messages(rest, execution)[-1].startswith("'restore_snapshot' workflow execution failed")
    assert blueprints(rest) == ["ours"]
    assert rest.get("/snapshots/taken").json()["status"] == "uploaded"
    storage = storage_of(node)
    with storage.reading() as session:
        assert session.scalar(text("SELECT to_regnamespace('restoring')")) is None
    storage.close()
    eventually(lambda: beside(node) == [], 10, "nothing is left beside")


def test_killed_after_its_end_it_has_changed_everything(node, rest):
    execution = run_changed(node, force=True, owner="Gateway", name="files_changed", before="die()")
    assert ended(rest, execution)["status"] == "terminated"
    assert blueprints(rest) == ["theirs"]
    assert restore(rest, "taken", force=True)["status"] == "terminated"
    assert blueprints(rest) == ["theirs"]
