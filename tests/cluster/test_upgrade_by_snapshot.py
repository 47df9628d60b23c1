"""A snapshot takes the product along, not the cluster: to new machines, or anew to the same ones."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from demo.bed import Bed
from demo.cfy import Cfy, form
from demo.cluster import PASSWORD_FILE, Cluster
from demo.node import Node
from demo.places import PORTS
from tests.cluster.house import FORM_S, House
from tests.cluster.traffic import SOON_S
from tests.support import uploads
from tests.support.archives import blueprint
from tests.support.rest import RestClient
from tests.support.snapshots import archive, create, ended, upload
from tests.support.uploads import error_of
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Old:
    """What is left of the old cluster: the file, and what the administrator knows."""

    content: bytes
    password: str
    subnet: str


def client(cluster: Cluster, node: Node) -> RestClient:
    base = f"https://{node.host_ip}:{PORTS.rest}"
    return RestClient(base, cluster.ca_file, ("admin", cluster.password))


def units(node: Node) -> frozenset[str]:
    return frozenset(node.clients.mirror.units())


@pytest.fixture(scope="module")
def old(formed: House, tmp_path_factory: pytest.TempPathFactory) -> Old:
    """A cluster of two, of which a snapshot was taken and downloaded; it is gone now."""
    # Two clusters at once would wait for each other.
    formed.destroy()
    house = House(tmp_path_factory.mktemp("old"), size=2)
    try:
        house.build()
        leader = house.cluster.leader()
        rest = client(house.cluster, leader)
        assert uploads.upload(rest, "shop").status_code == 201
        assert rest.put("/deployments/berlin", {"blueprint_id": "shop", "inputs": {}}).status_code == 201
        assert create(rest, "daily")["status"] == "terminated"
        # Its file was protected before anybody was told that it is there.
        assert all(units(node) == units(leader) for node in house.bed)
        assert any(unit.startswith("snapshots/") for unit in units(leader))
        refused = rest.post("/snapshots/daily/restore", {"force": True})
        assert error_of(refused) == (400, "illegal_action_error")
        left = Old(archive(rest, "daily"), house.cluster.password, house.bed.subnet)
    finally:
        house.destroy()
    return left


@pytest.mark.parametrize("names", [("n3", "n4"), ("n1", "n2")], ids=["new machines", "the same machines"])
def test_the_product_moves_to_a_new_cluster(old, tmp_path, names):
    bed = Bed(tmp_path / "new", names, subnet=old.subnet if "n1" in names else None)
    cluster = Cluster(bed)
    try:
        # New managers have a password of their own; for cfy it is simplest to give them the old one.
        bed.root.mkdir(parents=True)
        (bed.root / PASSWORD_FILE).write_text(old.password)
        cluster.install()
        cluster.start()
        first, second = bed
        rest = client(cluster, first)
        upload(rest, "daily", old.content)
        execution = ended(rest, rest.post("/snapshots/daily/restore", {}).json())
        assert (execution["status"], execution["error"]) == ("terminated", None)

        leader = form(cluster, Cfy(cluster), FORM_S)
        assert leader is first
        assert rest.get("/blueprints/shop/archive").content == blueprint()
        assert rest.get("/deployments/berlin").json()["blueprint_id"] == "shop"
        eventually(lambda: units(second) == units(first), SOON_S, "the replica has all files")
        assert {unit.partition("/")[0] for unit in units(second)} == {"blueprints", "snapshots"}
        assert uploads.upload(rest, "later").status_code == 201
    finally:
        bed.destroy()
