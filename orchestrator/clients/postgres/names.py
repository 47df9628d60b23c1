"""How the names of nodes appear in PostgreSQL: as replication slots, and among the standbys waited for."""

from __future__ import annotations

import hashlib
import re

from orchestrator.model.snapshot import SyncSetting

MAX_SLOT_NAME = 63
_PLAIN = re.compile(r"[a-z0-9_]{1,63}")
_CHOICE = re.compile(r"\s*(?:(?:ANY|FIRST)\s+)?(\d+)\s*\((.*)\)\s*", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')


def slot_name(node: str, incarnation: str = "") -> str:
    """The replication slot of ``node`` on an upstream of that ``incarnation``; another one has no such slot.

    A name that is too long, or that PostgreSQL does not take, becomes unique by a digest.
    """
    suffix = f"_{incarnation}" if incarnation else ""
    room = MAX_SLOT_NAME - len(suffix)
    if _PLAIN.fullmatch(node) and len(node) <= room:
        return f"{node}{suffix}"
    digest = hashlib.sha256(node.encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9_]", "_", node.lower())
    return f"{readable[: room - len(digest) - 1]}_{digest}{suffix}"


def format_standby_names(setting: SyncSetting) -> str:
    """``setting`` as a value of ``synchronous_standby_names``."""
    if setting.k == 0 or not setting.members:
        return ""
    return f"ANY {setting.k} ({', '.join(_quoted(name) for name in sorted(setting.members))})"


def parse_standby_names(text: str) -> SyncSetting:
    """What a value of ``synchronous_standby_names`` guarantees.

    ``FIRST`` and a bare list wait for at least as many of the same standbys, so they are read as ``ANY``.
    """
    if not text.strip():
        return SyncSetting()
    choice = _CHOICE.fullmatch(text)
    k, names = (int(choice[1]), choice[2]) if choice else (1, text)
    return SyncSetting(k, frozenset(_unquoted(match) for match in _NAME.finditer(names)))


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _unquoted(match: re.Match[str]) -> str:
    quoted, plain = match.groups()
    return str(plain) if quoted is None else str(quoted).replace('""', '"')
