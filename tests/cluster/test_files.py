"""An upload that was acknowledged outlives its leader; what an upload left half-done is gone everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from demo.cluster import Cluster
from demo.node import Node
from manager.files import Folders, Unit, Work
from manager.gateway import Gateway
from tests.cluster.house import WHOLE_S
from tests.cluster.traffic import SOON_S
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

PROTECT_S = 20.0
TEXT = "tosca_definitions_version: cloudify_dsl_1_3\n"


def folders_of(node: Node) -> Folders:
    paths = node.config.paths
    return Folders(paths.files, paths.state / "staging", paths.uploads)


@contextmanager
def uploading(node: Node) -> Iterator[str]:
    """An upload that has come as far as its unit; its row may be committed in the block."""
    with Work.begin(folders_of(node)) as work:
        (work.folder / "archive").write_text(TEXT)
        (work.folder / "archive").chmod(0o640)
        unit = Unit("snapshots", "default_tenant", f"s{work.storage_id[:8]}", work.storage_id)
        unit.place(work.folder, folders_of(node))
        Gateway(node.config).protect_files(PROTECT_S)
        yield f"{unit.kind}/{unit.tenant}/{unit.id}/{unit.storage_id}"


def commit_row(node: Node, unit: str) -> None:
    _, _, name, storage_id = unit.split("/")
    config = node.config
    connection = psycopg2.connect(
        host=str(config.paths.run), port=config.ports.postgres, user="cloudify", dbname="cloudify"
    )
    with closing(connection), connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO snapshots (id, tenant_id, status, storage_id) "
            "SELECT %s, id, 'uploaded', %s FROM tenants WHERE name = 'default_tenant'",
            (name, storage_id),
        )


def upload(node: Node) -> str:
    """Everything that an upload does, on the leader; returns when it would be acknowledged."""
    with uploading(node) as unit:
        commit_row(node, unit)
    return unit


def has(node: Node, unit: str) -> bool:
    file = node.config.paths.files / unit / "archive"
    return file.exists() and file.read_text() == TEXT and file.stat().st_mode & 0o777 == 0o640


def everywhere_alike(cluster: Cluster, *units: str) -> None:
    """All members have these units, and no others than the leader."""

    def alike() -> bool:
        trees = {node.name: node.clients.mirror.units() for node in cluster.bed}
        return len(set(trees.values())) == 1 and all(
            has(node, unit) for node in cluster.bed for unit in units
        )

    eventually(alike, SOON_S, "all members have the same files")


def test_an_acknowledged_upload_outlives_its_leader(cluster):
    old = cluster.leader()
    units = [upload(old) for _ in range(3)]
    old.kill()
    new = cluster.wait(
        lambda: leader if (leader := cluster.leader()) is not old else None, SOON_S, "nobody takes over"
    )
    eventually(lambda: all(has(new, unit) for unit in units), SOON_S, "the new leader has the files")
    eventually(lambda: cluster.view(new).files.complete, SOON_S, "the new leader's files are complete")
    later = upload(new)
    old.start()
    cluster.wait_until_whole(WHOLE_S)
    everywhere_alike(cluster, *units, later)


def test_what_an_upload_left_without_a_row_is_swept_on_every_node(cluster):
    old = cluster.leader()
    kept = upload(old)
    with uploading(old) as orphan:
        assert any(has(node, orphan) for node in cluster.bed if node is not old)
        old.kill(include_consul=False)
    cluster.wait(lambda: cluster.leader() is not old, SOON_S, "nobody takes over")
    old.start()
    cluster.wait_until_whole(WHOLE_S)
    eventually(
        lambda: not any((node.config.paths.files / orphan).exists() for node in cluster.bed),
        WHOLE_S,
        "the orphan is gone everywhere",
    )
    everywhere_alike(cluster, kept)
    assert any(entry["kind"] == "files_swept" for entry in cluster.history())


def test_replicas_show_how_far_behind_they_are(cluster):
    leader = cluster.leader()
    generation = cluster.view(leader).files.generation
    upload(leader)

    def caught_up() -> bool:
        lag = [member["files"] for member in cluster.members()]
        return all(each["behind"] == 0 and each["generation"] > generation for each in lag)

    eventually(caught_up, SOON_S, "all members have the newest generation")
