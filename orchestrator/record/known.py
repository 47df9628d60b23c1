"""The members as this node knew them last, on its disk: whom to ask when Consul cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.clients.consul.codec import decode, encode
from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.snapshot import Member, Snapshot


@dataclass(frozen=True, slots=True)
class Known:
    """By name, this node among them."""

    members: Mapping[str, Member] = field(default_factory=dict)


def _path(config: NodeConfig) -> Path:
    return config.paths.state / "members"


def remember(config: NodeConfig, snapshot: Snapshot) -> None:
    """Write them down when they are others than before."""
    if snapshot.cluster is None or not snapshot.cluster.members:
        return
    text = encode(Known(snapshot.cluster.members))
    if _text(config) != text:
        write_atomically(_path(config), text)


def members(config: NodeConfig) -> Mapping[str, Member]:
    """Those of the newest look at Consul that succeeded; none, when there was none."""
    text = _text(config)
    try:
        return decode(Known, text.encode(), "members").members if text else {}
    except ConsulUnavailable:
        return {}


def _text(config: NodeConfig) -> str:
    try:
        return _path(config).read_text()
    except FileNotFoundError:
        return ""
