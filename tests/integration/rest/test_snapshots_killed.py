"""A restore that is killed leaves the manager as it was, or as the snapshot says, and nothing between."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from manager.snapshots.labour import RESTORATION, Order
from tests.support import uploads
from tests.support.archives import blueprint
from tests.support.going_wrong import client_program, run_changed
from tests.support.rest import ManagerNode, RestClient, manager_node
from tests.support.snapshots import archive, create, ended, messages, restore, storage_of, upload
from tests.support.uploads import files_of
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

OPTIONS = {
    **dict.fromkeys(("restore_certificates", "no_reboot", "ignore_plugin_failure"), False),
    "recreate_deployments_envs": True,
}


@pytest.fixture(scope="module")
def node() -> Iterator[ManagerNode]:
    """A manager with a blueprint; its snapshot ``taken`` has another one."""
    with manager_node() as node:
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


def restored(node: ManagerNode, *, force: bool, **program: str) -> dict[str, str]:
    """Restore ``taken`` in a process that goes wrong; its execution."""
    return run_changed(node, Order(RESTORATION, "taken", {**OPTIONS, "force": force}), **program)


def test_nothing_is_written_while_it_goes_on(node, rest):
    """It would be acknowledged, and then replaced."""
    refused = "assert uploads.error_of(uploads.upload(rest, 'late')) == (503, 'maintenance_mode_active')"
    upload_meanwhile = client_program(node, refused)
    broken = {"before": upload_meanwhile, "after": "raise RuntimeError('broken')"}
    execution = restored(node, force=True, owner="Swap", name="lock", **broken)
    assert ended(rest, execution)["error"] == "broken"
    assert uploads.upload(rest, "late").status_code == 201
    assert rest.delete("/blueprints/late").ok


def test_what_was_on_its_way_already_is_not_replaced_without_force(node, rest):
    assert rest.delete("/blueprints/ours").ok
    config = node.config
    server = f"host={str(config.paths.run)!r}, port={config.ports.postgres}, user='cloudify'"
    connect = f"import psycopg2; it = psycopg2.connect({server}); "
    insert = (
        connect  # noqa: S608  # what runs there is Python
        + "it.cursor().execute(\"INSERT INTO tenants (name) VALUES ('late')\"); it.commit()"
    )
    write = f"run({sys.executable!r}, '-c', {insert!r})"
    execution = restored(node, force=False, owner="Restoration", name="place", after=write)
    failed = ended(rest, execution)
    assert failed["status"] == "failed"
    assert "not empty" in failed["error"]
    assert rest.delete("/tenants/late").ok
    # What it had brought was taken away again.
    assert not [file for file in files_of(node) if "/theirs/" in file]
    assert uploads.upload(rest, "ours").ok


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
    execution = restored(node, force=True, owner=owner, name=name, after="die()")
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
    eventually(lambda: beside(node) == [], 30, "nothing is left beside")


def test_killed_after_its_end_it_has_changed_everything(node, rest):
    execution = restored(node, force=True, owner="Gateway", name="files_changed", before="die()")
    assert ended(rest, execution)["status"] == "terminated"
    assert blueprints(rest) == ["theirs"]
    assert restore(rest, "taken", force=True)["status"] == "terminated"
    assert blueprints(rest) == ["theirs"]
