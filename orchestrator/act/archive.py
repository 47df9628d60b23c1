"""Keep what only this node has acknowledged, before its database becomes that of another leader."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.clients import Clients
from orchestrator.clients.postgres import Upstream
from orchestrator.model.action import Follow
from orchestrator.model.errors import Unfinished
from orchestrator.record import alone, journal, minority
from orchestrator.record import archive as archives
from orchestrator.record.alone import Alone
from orchestrator.record.archive import DATA, DUMP, FILES, Archive

DUMP_TIMEOUT_S = 6 * 3600.0


def archive_by_dump(clients: Clients, action: Follow, position: str) -> None:
    """Archive, once, if this node had acknowledged anything alone. Its database runs as a detached standby.

    ``position``: where it ends. Raises ``Unfinished`` and what the client of PostgreSQL does: then nothing
    was given up, and the next try does it.
    """
    began = alone.read(clients.config)
    if began is None:
        return
    if _was_never_asked(clients):
        alone.end(clients.config)
        return
    with _complaining():
        filled = archives.begin(clients.config)
        clients.postgres.dump(filled / DUMP, DUMP_TIMEOUT_S)
        archive = _described(clients, action, began, filled, position)
        archives.finish(clients.config, filled, archive)
    _tell(clients, action, archive)


def _was_never_asked(clients: Clients) -> bool:
    """Whether this node was ready to write alone, in minority mode, and nobody had it do so."""
    mark = minority.read(clients.config)
    if mark is None or mark.alone_before or not mark.updated_before:
        return False
    return clients.postgres.read().updated_at == mark.updated_before


def replace_and_archive(clients: Clients, action: Follow, upstream: Upstream, began: Alone) -> None:
    """Have a stopped database that cannot be read be a copy of ``upstream``, and its folder in an archive.

    It stays where it is until the copy is complete: this node may be the only one whose report can end an
    election. Raises as ``archive_by_dump``.
    """
    with _complaining():
        filled = archives.begin(clients.config)
        archive = _described(clients, action, began, filled, None)
        place = archives.finish(clients.config, filled, archive)
        try:
            clients.postgres.base_backup(upstream, keep=place / DATA)
        except BaseException:
            archives.discard_without(place, DATA)
            raise
    _tell(clients, action, archive)


def _described(clients: Clients, action: Follow, began: Alone, filled: Path, position: str | None) -> Archive:
    """The archive, with this node's files in it. Without a position its database is a folder."""
    made = time.time()
    return Archive(
        name=archives.name_of(began.term, made),
        node=clients.me,
        term=began.term,
        since=began.since,
        made=made,
        gave_way_to=action.leader,
        position=position or "",
        database=DATA if position is None else DUMP,
        units=clients.mirror.copy(filled / FILES),
    )


def _tell(clients: Clients, action: Follow, archive: Archive) -> None:
    alone.end(clients.config)
    told = f"{clients.me} archived what it alone had acknowledged since term {archive.term}: {archive.name}"
    journal.tell(clients, action.term, "archived", told)


@contextmanager
def _complaining() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unfinished(f"what only this node has could not be archived: {error}") from error
