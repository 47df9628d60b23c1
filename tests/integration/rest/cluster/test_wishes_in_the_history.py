"""Who has asked for what is left for the cluster's history; the node's next tick delivers it."""

from __future__ import annotations

import pytest

from orchestrator.model.history import HistoryEntry
from orchestrator.record import outbox

pytestmark = pytest.mark.integration


@pytest.fixture
def left(node):
    """What has been left, oldest first, as kind and summary."""

    def read() -> list[tuple[str, str]]:
        entries: list[HistoryEntry] = []
        outbox.deliver(node.config.paths.outbox_file, entries.append)
        assert all((entry.node, entry.term) == ("n1", 7) for entry in entries)
        return [(entry.kind, entry.summary) for entry in entries]

    return read


def test_who_paused_and_who_resumed(rest, left):
    for _ in range(2):  # The second time changes nothing.
        assert rest.put("/cluster/pause").status_code == 200
    assert rest.patch("/cluster", {"paused": False}).status_code == 200
    assert left() == [
        ("paused", "admin held automatic failover"),
        ("resumed", "admin allowed automatic failover"),
    ]


def test_who_changed_which_option_from_what_to_what(rest, left):
    changes = {"check_ttl_multiplier": "2", "check_fail_fast": "False", "sync_mode": "quorum"}
    assert rest.patch("/cluster/nodes/n2", changes).status_code == 200
    assert rest.patch("/cluster/nodes/n2", changes).status_code == 200
    assert left() == [
        (
            "options",
            "admin changed options of n2: check_fail_fast True -> False, check_ttl_multiplier 1.0 -> 2.0",
        )
    ]


def test_what_was_refused_is_not_history(rest, consul, left):
    assert rest.patch("/cluster/nodes/n2", {"check_fail_fast": "perhaps"}).status_code == 400
    assert rest.patch("/cluster/nodes/n9", {"check_fail_fast": True}).status_code == 404
    consul.down = True
    assert rest.put("/cluster/pause").status_code == 503
    assert left() == []
