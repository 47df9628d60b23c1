"""What another configuration means for a manager that is there, and what of it cannot be changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.config import NodeConfig

LOOP = ("lease-guard", "consul-watcher", "handler-runner", "check-runner")
"""The cluster's own services: a leader that restarts them may lose its lease."""

ALL = ("all",)
REINSTALL = (
    "To change what cannot be changed in a cluster, remove the member (cfy cluster nodes remove NAME, on the"
    " leader), then on this machine cfy_manager remove -f, install, and join again under another name."
)


@dataclass(frozen=True, slots=True)
class Rule:
    """``services``: those that have to be restarted. ``fixed``: why it cannot be changed in a cluster.

    ``never``: why it cannot be changed at all, in a cluster or not.
    """

    services: tuple[str, ...] = ()
    fixed: str = ""
    never: str = ""


_KNOWN_BY_IT = "the other members know this node by it"
_SAME_ON_ALL = "it has to be the same on all members"

RULES: Mapping[str, Rule] = {
    "paths": Rule(never="what the manager has lies there; cfy_manager remove -f, and install it anew"),
    "services.manager": Rule(never="a manager that cfy_manager has installed is run by systemd"),
    "postgres.bin_dir": Rule(ALL, fixed="the version of PostgreSQL " + "has to be the same on all members"),
    "postgres.os_user": Rule(never="the database's files belong to it"),
    "postgres.settings": Rule(),
    "postgres": Rule(LOOP),
    "host_ip": Rule(ALL, fixed=_KNOWN_BY_IT),
    "api_host": Rule(ALL, fixed="its Consul was made with it"),
    "ports": Rule(ALL, fixed=_SAME_ON_ALL),
    "gossip": Rule(ALL, fixed="Consul was made with it, and " + _SAME_ON_ALL),
    "public_ip": Rule(LOOP),
    "priority": Rule(LOOP),
    "timing": Rule((*LOOP, "restservice")),
    "files": Rule(LOOP),
    "rest.protocol": Rule(("restservice",), fixed=_SAME_ON_ALL),
    "rest": Rule(("restservice",)),
    "logins": Rule(("restservice",)),
    "workflows": Rule(("mgmtworker",)),
}
"""For a setting, or a section of them. The longest that fits a setting counts."""


@dataclass(frozen=True, slots=True)
class Change:
    """One setting, ``section.key``."""

    key: str
    old: Any
    new: Any

    @property
    def rule(self) -> Rule:
        """What it means."""
        words = self.key.split(".")
        names = [".".join(words[:count]) for count in range(len(words), 0, -1)]
        # A setting that nobody has thought of here: everything is restarted.
        return next((RULES[name] for name in names if name in RULES), Rule(ALL))

    def __str__(self) -> str:
        return f"{self.key}: {_told(self.old)} -> {_told(self.new)}"


def changes(old: NodeConfig, new: NodeConfig) -> list[Change]:
    """The settings that differ, by their names."""
    before, after = dict(_flat("", old.model_dump())), dict(_flat("", new.model_dump()))
    keys = sorted(before.keys() | after.keys())
    return [Change(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def services_of(found: list[Change]) -> tuple[str, ...]:
    """The services that have to be restarted for these changes; ``ALL`` for all of them."""
    wanted = {service for change in found for service in change.rule.services}
    return ALL if wanted & set(ALL) else tuple(sorted(wanted))


def complaints(found: list[Change], *, member: bool) -> Iterator[str]:
    """Why these changes cannot be made here, and what to do instead."""
    for change in found:
        if change.rule.never:
            yield f"{change}: cannot be changed: {change.rule.never}."
        elif member and change.rule.fixed:
            yield f"{change}: cannot be changed in a cluster: {change.rule.fixed}."
    if member and any(change.rule.fixed for change in found):
        yield REINSTALL


def risk(services: tuple[str, ...]) -> Iterator[str]:
    """Why a leader should not restart these services, and what to do instead."""
    if risky := sorted({*services} & {*LOOP, *ALL}):
        yield (
            f"This node leads its cluster, and to restart these could end that: {', '.join(risky)}."
            " Switch over first: cfy cluster set-active ANOTHER. Or --no-restart, and cfy_manager configure"
            " when another node leads."
        )


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(f"{name}.", value)
        else:
            yield name, value


def _told(value: Any) -> str:
    return "the default" if value is None else str(value)
