"""A profile: where the managers of one cluster are, and who is asking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Member:
    """A manager of the cluster. ``public_ip``: how clients reach it, if not by ``host_ip``."""

    name: str
    host_ip: str
    public_ip: str | None = None

    @property
    def address(self) -> str:
        """Where a client finds this member."""
        return self.public_ip or self.host_ip


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything that is needed to talk to a manager or to a cluster of them.

    ``address``: what the profile was made with. ``leader``: the address that led when last asked.
    ``trust_all``: the managers' certificates are not checked, because the user said so.
    """

    name: str
    address: str
    port: int = DEFAULT_PORTS["https"]
    protocol: str = "https"
    username: str = "admin"
    password: str | None = None
    token: str | None = None
    tenant: str = "default_tenant"
    ca_file: str | None = None
    trust_all: bool = False
    members: tuple[Member, ...] = ()
    leader: str | None = None

    def addresses(self) -> tuple[str, ...]:
        """Whom to ask, in this order: who led last, the members, and what the profile was made with."""
        candidates = [self.leader, *(member.address for member in self.members), self.address]
        return tuple(dict.fromkeys(address for address in candidates if address))

    def pinned(self) -> Profile:
        """The same profile for this one manager alone, whoever leads."""
        return replace(self, members=(), leader=None)

    def knowing(self, nodes: Iterable[Mapping[str, Any]]) -> Profile:
        """This profile with the members of a node list (as REST gives it), and its leader."""
        nodes = list(nodes)
        members = tuple(Member(node["name"], node["host_ip"], node.get("public_ip")) for node in nodes)
        leaders = [member.address for member, node in zip(members, nodes, strict=True) if is_leader(node)]
        return replace(self, members=members, leader=leaders[0] if leaders else self.leader)

    def as_dict(self) -> dict[str, Any]:
        """All of it, secrets too: for the profile's file only."""
        return asdict(self)

    def without_secrets(self) -> dict[str, Any]:
        """The profile for people and for ``--json``: it tells whether there are secrets, and not which."""
        shown = self.as_dict()
        shown["password"] = "stored" if self.password else "not stored"
        shown["token"] = "stored" if self.token else "not stored"
        return shown

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Profile:
        """Read what ``as_dict`` of this or a newer version wrote. Raises ``TypeError`` or ``KeyError``."""
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in content.items() if key in known}
        values["members"] = tuple(Member(**member) for member in content.get("members", ()))
        return cls(**values)


def is_leader(node: Mapping[str, Any]) -> bool:
    """Whether an entry of the node list is the leader."""
    return bool(node.get("online") and node.get("master"))


def state_of(node: Mapping[str, Any]) -> str:
    """``leader``, ``replica`` or ``offline``."""
    if not node.get("online"):
        return "offline"
    return "leader" if node.get("master") else "replica"
