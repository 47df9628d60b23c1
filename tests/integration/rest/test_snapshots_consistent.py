"""A snapshot shows one moment, whatever is deleted while it is made: its rows and its files fit."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from sqlalchemy.orm import Session

from manager.models import Snapshot
from manager.snapshots.labour import CREATING, CREATION, Order
from manager.tenancy import Scope
from tests.support import uploads
from tests.support.archives import blueprint
from tests.support.going_wrong import client_program, run_changed
from tests.support.snapshots import archive, ended
from tests.support.uploads import files_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    ("moment", "in_it"),
    [
        ({"owner": "creating.os", "name": "link", "before": "{delete}"}, False),
        ({"owner": "creating", "name": "hold", "after": "{delete}"}, True),
        ({"owner": "creating", "name": "_copy", "after": "{delete}"}, True),
    ],
    ids=["before it is held", "when it is held", "while rows are written"],
)
def test_a_blueprint_that_is_deleted_meanwhile_is_in_it_wholly_or_not_at_all(rest, node, name, moment, in_it):
    assert uploads.upload(rest, name).ok
    delete = client_program(node, f"rest.delete('/blueprints/{name}')")

    def prepare(session: Session, scope: Scope) -> None:
        session.add(Snapshot(id=name, tenant_id=scope.tenant_id, status=CREATING))

    order = Order(CREATION, name, {"include_logs": True, "include_events": True})
    changes = {key: value.format(delete=delete) for key, value in moment.items()}
    assert ended(rest, run_changed(node, order, prepare, **changes))["status"] == "terminated"

    with zipfile.ZipFile(io.BytesIO(archive(rest, name))) as snapshot:
        manifest = json.loads(snapshot.read("manifest.json"))
        units = [snapshot.read(member) for member in manifest["sha256"] if member.startswith("units/")]
    rows = {table["name"]: table["rows"] for table in manifest["tables"]}
    assert (rows["blueprints"], units) == ((1, [blueprint()]) if in_it else (0, []))

    assert rest.delete(f"/snapshots/{name}").ok
    assert files_of(node) == []
