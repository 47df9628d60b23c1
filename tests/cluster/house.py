"""A formed cluster for all stories: mended between two of them, and thrown away after the last."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from demo.bed import Bed
from demo.cfy import Cfy, form
from demo.cluster import Cluster
from demo.node import Node
from orchestrator.model.errors import ClusterError
from orchestrator.record import membership
from tests.cluster.commands import Answer, run

FORM_S = 180.0
WHOLE_S = 120.0
"""Far more than a healthy machine needs: a wait ends as soon as its condition holds."""

TAIL_LINES = 60
LONGEST_LINE = 250
BEGINS_WITH_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:")


class House:
    """``size`` managers below ``root`` that form a cluster, and whoever joins them later."""

    def __init__(self, root: Path, size: int = 3) -> None:
        self._root, self._size = root, size
        self._built, self._stands = 0, False
        self.cluster: Cluster
        self.cfy: Cfy

    @property
    def bed(self) -> Bed:
        """The nodes, those as well that are no members (yet, or any more)."""
        return self.cluster.bed

    def build(self) -> None:
        """Make the managers and their cluster, anew if there was one."""
        self._built += 1
        names = [f"n{number}" for number in range(1, self._size + 1)]
        self.cluster, self._stands = Cluster(Bed(self._root / str(self._built), names)), True
        self.cfy = Cfy(self.cluster)
        self.cluster.install()
        self.cluster.start()
        form(self.cluster, self.cfy, FORM_S)

    def destroy(self) -> None:
        """Leave nothing behind but the logs; they lie below the root, which pytest keeps for a while."""
        if not self._stands:
            return
        for node in self.bed:
            if (node.home / "log").exists():
                shutil.copytree(node.home / "log", self.bed.root / "logs" / node.name, dirs_exist_ok=True)
        self.bed.destroy()
        self._stands = False

    def forget_guests(self) -> None:
        """Have the cluster made anew for the next story if it has, or had, more managers than at first."""
        if self._stands and len(self.bed.nodes) != self._size:
            self.destroy()

    def make_whole(self) -> Node:
        """Undo what the last story did; returns the leader. A cluster that is beyond help is replaced."""
        if not self._stands:
            self.build()
        try:
            for node in self.bed:
                node.thaw()
                if membership.read(node.config.paths.membership_file).state != "removed":
                    node.start()
            with suppress(ClusterError):
                self.cluster.client().request("PATCH", "/cluster", json={"paused": False})
            return self.cluster.wait_until_whole(WHOLE_S, *self.members())
        except ClusterError:
            self.destroy()
            self.build()
            return self.cluster.wait_until_whole(WHOLE_S)

    def members(self) -> list[str]:
        """The names of the nodes that believe themselves members."""
        return [
            node.name
            for node in self.bed
            if membership.read(node.config.paths.membership_file).state == "member"
        ]

    def new_manager(self) -> Node:
        """One manager more, started, and in no cluster. One that is left over is used up first."""
        for node in self.bed:
            if membership.read(node.config.paths.membership_file).state == "alone":
                return node
        node = self.bed.add(f"n{len(self.bed.nodes) + 1}")
        self.cluster.prepare(node)
        node.start()
        self.cluster.wait_until_alone(node, WHOLE_S)
        return node

    def grow_to(self, size: int) -> None:
        """Let managers join until the cluster has ``size`` members, all of them well."""
        while len(members := self.members()) < size:
            self.cfy.join_cluster(self.new_manager(), self.cluster.leader())
        self.cluster.wait_until_whole(WHOLE_S, *members)

    def cfy_manager(self, node: Node, *arguments: str) -> Answer:
        """Run a command on the node's own machine."""
        return run("cli.cfy_manager", arguments, {"CLOUDIFY_CONFIG": str(node.config_file)})

    def ask(self, node: Node, *arguments: str, **variables: str) -> Answer:
        """Run a ``cfy`` command in the profile of a manager, without expecting that it succeeds.

        It is run again, as its hint says, while it meets an election.
        """
        if node.name not in self._profiles():
            self.cfy.use(node)
        usual = {"CFY_HOME": str(self.cfy.home), "CFY_PASSWORD": self.cluster.password}
        command = ("--profile", node.name, *arguments)
        deadline_s = time.monotonic() + WHOLE_S
        while (answer := run("cli.cfy", command, usual | variables)).met_an_election:
            if time.monotonic() > deadline_s:
                break
        return answer

    def _profiles(self) -> set[str]:
        return {file.stem for file in (self.cfy.home / "profiles").glob("*")}

    def others(self, *nodes: Node) -> list[Node]:
        """The members beside ``nodes``."""
        return [node for node in self.bed if node not in nodes and node.name in self.members()]

    def bystander(self, leader: Node) -> Node:
        """A replica whose loss does not concern the leader: Consul is not led from its machine.

        The loss of the other one has the leader ask its members, which a busy machine may do too late.
        """
        replicas = self.others(leader)
        led_from = self.cluster.wait(leader.clients.consul.consul_leader, WHOLE_S, "Consul has no leader")
        return next(node for node in replicas if node.host_ip != led_from.rpartition(":")[0])

    def logs(self) -> Iterator[tuple[str, str]]:
        """The end of each node's cluster log, under its name, without tracebacks."""
        for node in self.bed if self._built else ():
            try:
                lines = node.config.paths.cluster_log.read_text().splitlines()
            except (OSError, ClusterError) as error:
                lines = [str(error)]
            told = [line[:LONGEST_LINE] for line in lines if BEGINS_WITH_TIME.match(line)]
            yield node.name, "\n".join(told[-TAIL_LINES:])
