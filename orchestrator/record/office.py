"""What this node has to know as the leader when Consul is gone. In memory, beside the lease file."""

from __future__ import annotations

from pathlib import Path

from orchestrator.clients.consul.codec import decode, encode
from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.office import Office
from orchestrator.model.snapshot import Snapshot


def _path(config: NodeConfig) -> Path:
    return config.paths.run / "office"


def of(snapshot: Snapshot) -> Office | None:
    """The office that ``snapshot`` shows this node in: its lease, and its own sync record of that term."""
    view = snapshot.cluster
    if view is None or view.record is None or not snapshot.holds_lease:
        return None
    if (view.record.leader, view.record.term) != (snapshot.me, view.lease.term):
        return None
    others = {name: member for name, member in view.members.items() if name != snapshot.me}
    record = view.record
    return Office(view.lease.term, view.lease.modified, record.k, record.members, others)


def remember(config: NodeConfig, office: Office) -> None:
    """Write it down when it is another one than before."""
    path, text = _path(config), encode(office)
    if _text(path) != text:
        write_atomically(path, text, durable=False)


def read(config: NodeConfig) -> Office | None:
    """The newest office of this node; None when there was none, or it cannot be read."""
    text = _text(_path(config))
    try:
        return decode(Office, text.encode(), "office") if text else None
    except ConsulUnavailable:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
