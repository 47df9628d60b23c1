"""Were all the promises kept? What clients were told, against every host's own rows and files."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from demo.node import Node
from demo.writer import Acknowledged
from orchestrator.model.errors import ClusterError
from tests.chaos.clients import payload
from tests.chaos.runner import Struck
from tests.chaos.workload import Listed, Workload
from tests.chaos.world import World
from tests.cluster import checker

CONVERGE_S = 90.0
POLL_S = 1.0
TRUTH_S = 20.0
"""For how long the list of nodes may be wrong about a host that cannot be reached."""

IN_FLIGHT_S = 2.0
SHOWN = 5
SCHEMA = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
DIGEST = (
    "SELECT '{0}', count(*), md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM {0} t"
)
UNITS = "SELECT path FROM replicated_files"


def verdict(world: World, workload: Workload, faults: Sequence[Struck]) -> list[str]:
    """Everything that is wrong, once the clients have stopped: empty, if all the promises were kept."""
    found = _once_converged(lambda: [*_losses(world, workload), *_differences(world.bed)])
    history = list(workload.witness.history.values())
    found += checker.broken_terms(history)
    found += checker.usurpations(
        world.cluster, history, [*(each.journal for each in workload.direct), workload.uploader.journal],
        workload.began,
    )  # fmt: skip
    found += [f"the term {term} was held by {who}" for term, who in _shared(workload.witness.holders)]
    if forgotten := [each for reader in workload.readers for each in reader.forgotten]:
        found.append(
            f"{len(forgotten)} times a leader did not know of something: {'; '.join(forgotten[:SHOWN])}"
        )
    found += _late_truths(faults, workload.witness.listed)
    return found


def _once_converged(look: Callable[[], list[str]]) -> list[str]:
    """What is still wrong when the cluster had time to become equal everywhere."""
    deadline_s = time.monotonic() + CONVERGE_S
    while True:
        try:
            found = look()
        except (ClusterError, OSError) as error:
            found = [f"{type(error).__name__}: {error}"]
        if not found or time.monotonic() > deadline_s:
            return found
        time.sleep(POLL_S)


def _losses(world: World, workload: Workload) -> Iterator[str]:
    rows = {node.name: checker.names_on(node) for node in world.bed}
    yield from checker.losses(rows, [each.journal for each in workload.writers])
    uploads = [write for each in workload.uploaders for write in each.journal.acknowledged]
    for node in world.bed:
        lost = [write for write in uploads if not _is_there(node, write)]
        if lost:
            yield f"{len(lost)} acknowledged uploads are not on {node.name}: {_some(lost)}"


def _is_there(node: Node, write: Acknowledged) -> bool:
    units = node.config.paths.files.glob(f"blueprints/*/{write.name}/*/content/payload")
    return any(file.read_bytes() == payload(write.name) for file in units)


def _some(writes: Iterable[Acknowledged]) -> str:
    return ", ".join(write.name for write in list(writes)[:SHOWN])


def _differences(nodes: Iterable[Node]) -> Iterator[str]:
    """In what two hosts are not equal: rows, table by table, and files."""
    first, *others = [(node.name, _rows(node), _files(node)) for node in nodes]
    for name, rows, files in others:
        for table, told in first[1].items():
            if rows.get(table) != told:
                yield f"{table} is not the same on {first[0]} and {name}: {told} and {rows.get(table)}"
        if different := sorted(set(files.items()) ^ set(first[2].items())):
            yield f"files of {first[0]} and {name} differ: {', '.join(path for path, _ in different[:SHOWN])}"


def _rows(node: Node) -> dict[str, Any]:
    tables = [name for (name,) in checker.query(node, SCHEMA)]
    statement = " UNION ALL ".join(DIGEST.format(table) for table in tables if table != "replicated_files")
    return {table: (count, digest) for table, count, digest in checker.query(node, statement)}


def _files(node: Node) -> dict[str, str]:
    """The files that rows name, with what is in them."""
    root = node.config.paths.files
    named = (root / path for (path,) in checker.query(node, UNITS))
    files = (file for unit in named for file in sorted(unit.rglob("*")) if file.is_file())
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _shared(holders: Mapping[int, set[str]]) -> Iterator[tuple[int, str]]:
    for term, names in holders.items():
        if len(names) > 1:
            yield term, ", ".join(sorted(names))


def _late_truths(faults: Sequence[Struck], listed: Sequence[Listed]) -> Iterator[str]:
    for struck in faults:
        end = struck.healed or struck.at
        if struck.silences and end - struck.at > TRUTH_S and truth_s(struck, listed) is None:
            yield f"for {end - struck.at:.0f} s the list of nodes did not show {struck.hosts} gone"


def truth_s(struck: Struck, listed: Sequence[Listed]) -> float | None:
    """How long it took until the list said that the hosts are not there; None: it did not."""
    end, gone = struck.healed or struck.at, set(struck.hosts)
    for look in listed:
        if struck.at <= look.asked <= end and not gone & look.online and look.master not in gone:
            return look.answered - struck.at
    return None


def interruption(
    struck: Struck, until: float, answered: Sequence[float], freed: Sequence[float]
) -> dict[str, Any]:
    """The longest time without an acknowledged write in a fault, and what of it came after detection.

    ``answered``: when writes were acknowledged; ``freed``: when a lease became free. All in Unix time.
    """
    gaps = [(before, after) for before, after in pairwise(answered) if after > struck.at and before < until]
    if not gaps:
        return {"interruption_s": None, "detection_s": None, "after_detection_s": None}
    before, after = max(gaps, key=lambda gap: gap[1] - max(gap[0], struck.at))
    began = max(before, struck.at)
    # What was asked for before the lease became free may be answered a moment after that.
    noticed = next((at for at in sorted(freed) if max(struck.at, began - IN_FLIGHT_S) <= at <= after), None)
    return {
        "interruption_s": round(after - began, 3),
        "detection_s": None if noticed is None else round(max(0.0, noticed - began), 3),
        "after_detection_s": round(after - max(began, noticed or 0.0), 3),
    }
