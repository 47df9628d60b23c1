"""The leader dies while an upload is on its way: the client repeats it, and there is one blueprint."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from demo.cluster import Cluster
from tests.cluster.house import WHOLE_S
from tests.cluster.stages import ANSWER_S, STAGES, Scene, archive_for
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def rows_and_files(cluster: Cluster) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Of each member: the units that its rows name, and those that it has."""
    return [(node.clients.product.named(), node.clients.mirror.units()) for node in cluster.bed]


def nothing_half_done(cluster: Cluster) -> bool:
    """Nothing of an upload is left in the works."""
    folders = (node.config.paths.state / place for node in cluster.bed for place in ("staging", "uploads"))
    return not any(any(folder.iterdir()) for folder in folders if folder.exists())


@pytest.mark.parametrize("stage", STAGES)
def test_an_upload_whose_leader_dies(cluster, stage):
    name = stage.replace("_", "-")
    with ExitStack() as stack:
        scene = Scene(cluster, name, archive_for(stage), stack)
        with STAGES[stage](scene):
            scene.old.kill()
        assert scene.answer.result(ANSWER_S)["id"] == name
    assert scene.tries > 1, "the client never noticed"
    assert cluster.leader() is not scene.old
    scene.old.start()
    cluster.wait_until_whole(WHOLE_S)
    (blueprint,) = cluster.client().items("/blueprints", id=name)
    assert blueprint["id"] == name

    def alike() -> bool:
        found = rows_and_files(cluster)
        (named, units), *others = found
        return named == units and all(other == found[0] for other in others)

    eventually(alike, WHOLE_S, "on every node each row has its file, and each file its row")
    eventually(lambda: nothing_half_done(cluster), WHOLE_S, "nothing is half done")
    (unit,) = (unit for unit in cluster.bed.nodes[0].clients.mirror.units() if f"/{name}/" in unit)
    for node in cluster.bed:
        assert (node.config.paths.files / unit / "archive").read_bytes() == scene.archive
