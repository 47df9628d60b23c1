"""A node's own settings of PostgreSQL are changed while the server runs."""

from __future__ import annotations

import pytest

from orchestrator.clients.postgres import Postgres

pytestmark = pytest.mark.integration


def changed(node, **settings):
    """The same node with other settings: as a process that has just been started sees it."""
    own = {**node.config.postgres.settings, **settings}
    postgres = node.config.postgres.model_copy(update={"settings": own})
    return Postgres(node.config.model_copy(update={"postgres": postgres}), node.services)


def test_what_can_be_in_force_at_once_is_and_the_rest_is_named(nodes):
    leader = nodes.leader()
    hba = leader.config.paths.postgres_etc / "postgresql.conf"
    members = [line for line in hba.read_text().splitlines() if line.startswith("cloudify.")]
    waiting = changed(leader, work_mem="9MB", max_connections=77).rewrite_config()
    assert waiting == ("max_connections",)
    assert leader.execute("SHOW work_mem") == [("9MB",)]
    assert [line for line in hba.read_text().splitlines() if line.startswith("cloudify.")] == members

    leader.postgres.stop("fast")
    assert changed(leader, max_connections=78).rewrite_config() == ()  # It reads that when it starts.
