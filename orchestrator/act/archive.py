"""Keep what only this node has acknowledged, before its database becomes that of another leader."""

from __future__ import annotations

import time

from orchestrator.clients import Clients
from orchestrator.model.action import Follow
from orchestrator.model.errors import Unfinished
from orchestrator.record import alone, journal
from orchestrator.record import archive as archives
from orchestrator.record.alone import Alone
from orchestrator.record.archive import DATA, DUMP, FILES, Archive

DUMP_TIMEOUT_S = 6 * 3600.0


def keep_what_is_alone(clients: Clients, action: Follow, position: str | None) -> None:
    """Archive, once, if this node had acknowledged anything alone.

    ``position``: where its database ends, which runs as a detached standby; None when it cannot be read. Then
    it must be stopped, and its folder moves into the archive as it is. Raises ``Unfinished`` and what the
    client of PostgreSQL does: then nothing was given up, and the next try does it.
    """
    began = alone.read(clients.config)
    if began is None:
        return
    try:
        name = _archive(clients, action, position, began)
    except OSError as error:
        raise Unfinished(f"what only this node has could not be archived: {error}") from error
    alone.end(clients.config)
    told = f"{clients.me} archived what it alone had acknowledged since term {began.term}: {name}"
    journal.tell(clients, action.term, "archived", told)


def _archive(clients: Clients, action: Follow, position: str | None, began: Alone) -> str:
    made = time.time()
    filled = archives.begin(clients.config)
    if position is not None:
        clients.postgres.dump(filled / DUMP, DUMP_TIMEOUT_S)
    archive = Archive(
        name=archives.name_of(began.term, made),
        node=clients.me,
        term=began.term,
        since=began.since,
        made=made,
        gave_way_to=action.leader,
        position=position or "",
        database=DUMP if position is not None else DATA,
        units=clients.mirror.copy(filled / FILES),
    )
    place = archives.finish(clients.config, filled, archive)
    if position is None:
        clients.postgres.set_aside(place / DATA)
    return archive.name
