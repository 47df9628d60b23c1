"""What faults happen to: the hosts of a cluster, by the names that a scenario has for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from demo.cluster import Cluster
from demo.node import Node
from orchestrator.clients import Clients
from orchestrator.model.errors import ClusterError, ConsulUnavailable
from tests.chaos.bed import ChaosBed, Host
from tests.chaos.links import Links

LEADER_S = 60.0
ROLES = ("leader", "replica", "other", "consul-leader")
GROUPS = ("all", "others", "replicas")


class Unknown(ClusterError):
    """A scenario names what is not there; the message says what there is."""


@dataclass
class World:
    """A cluster and its hosts. Who is meant by a role is found out when it is asked."""

    cluster: Cluster
    _clients: dict[str, Clients] = field(default_factory=dict)

    @property
    def bed(self) -> ChaosBed:
        """The hosts."""
        bed = self.cluster.bed
        assert isinstance(bed, ChaosBed)
        return bed

    @cached_property
    def links(self) -> Links:
        """What is lost on the way."""
        return self.bed.links

    def clients(self, node: Node) -> Clients:
        """What a process of the node would reach the rest with, from where its clients stand."""
        return self._clients.setdefault(node.name, node.clients)

    def host(self, word: str) -> Host:
        """The one host that a word means. Raises ``Unknown``."""
        if word == "leader":
            found: Node = self.leader()
        elif word in {"replica", "other"}:
            found = self.replicas()[-1 if word == "other" else 0]
        elif word == "consul-leader":
            found = self.consul_leader()
        else:
            found = self._named(word)
        assert isinstance(found, Host)
        return found

    def hosts(self, words: str) -> list[Host]:
        """The hosts that some words mean. Raises ``Unknown``."""
        groups = {"all": lambda: list(self.bed), "replicas": self.replicas}
        if words in groups:
            return [each for each in groups[words]() if isinstance(each, Host)]
        return [self.host(word) for word in words.split()]

    def others(self, hosts: list[Host]) -> list[Host]:
        """All hosts but these."""
        return [node for node in self.bed if isinstance(node, Host) and node not in hosts]

    def leader(self) -> Node:
        """Who leads. Raises ``Unfinished``."""
        return self.cluster.wait(self.cluster.leader, LEADER_S, "nobody leads")

    def replicas(self) -> list[Node]:
        """Who does not lead, by name."""
        leader = self.leader()
        return [node for node in self.bed if node is not leader]

    def consul_leader(self) -> Node:
        """From whose host Consul is led; who leads the cluster, as long as nobody knows."""
        for node in self.bed:
            try:
                address = self.clients(node).consul.consul_leader().rpartition(":")[0]
            except ConsulUnavailable:
                continue
            return next((each for each in self.bed if each.host_ip == address), node)
        return self.leader()

    def _named(self, word: str) -> Node:
        for node in self.bed:
            if node.name == word:
                return node
        known = (*(node.name for node in self.bed), *ROLES, *GROUPS)
        raise Unknown(f"there is no host {word!r}; there are {', '.join(known)}")
