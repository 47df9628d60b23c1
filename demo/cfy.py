"""The real command line, run as a user would run it, with profiles of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from demo.cluster import Cluster
from demo.node import Node
from demo.places import PORTS, seen_from_here
from demo.teller import Teller
from orchestrator.model.errors import ClusterError

TIMEOUT_S = 300.0
ELECTION_TIMEOUT_S = 60.0
TRIES = 3
NO_LEADER = 3
"""The exit code of ``cfy`` when no manager could be reached, or none of them leads."""


class CommandFailed(ClusterError):
    """A command of the story did not succeed; the message holds what it printed last."""


class Cfy:
    """Runs ``cfy`` with its profiles below the bed's root. ``teller`` None: nothing is shown."""

    def __init__(self, cluster: Cluster, teller: Teller | None = None) -> None:
        self._cluster = cluster
        self._teller = teller
        self.home = cluster.bed.root / "cfy"

    def use(self, node: Node) -> None:
        """Turn to a manager; its profile is named after it."""
        ca_file, port = seen_from_here(self._cluster.ca_file), str(PORTS.rest)
        profile = ("--profile-name", node.name, "--rest-port", port, "--ssl-ca-file", ca_file)
        self.run("profiles", "use", node.host_ip, *profile)

    def start_cluster(self, node: Node) -> None:
        """Make a manager the first of a cluster."""
        self.use(node)
        self.run("cluster", "start", "--cluster-node-name", node.name)

    def join_cluster(self, node: Node, leader: Node) -> None:
        """Make a manager a replica in the cluster that ``leader`` leads."""
        self.use(node)
        self.run("cluster", "join", leader.name, "--cluster-node-name", node.name)

    def run(self, *arguments: str) -> str:
        """Run a command and return what it printed. Raises ``CommandFailed``.

        A busy machine may have an election at any time: the command is given again when somebody leads.
        """
        code, lines = self._run(arguments)
        for _ in range(TRIES - 1):
            if code != NO_LEADER:
                break
            self._cluster.wait(self._cluster.leader, ELECTION_TIMEOUT_S, "nobody leads")
            code, lines = self._run(arguments)
        if code != 0:
            said = next((line for line in lines if line.startswith("Error: ")), " ".join(lines[-3:]))
            raise CommandFailed(f"cfy {arguments[0]} {arguments[1]} failed: {said.removeprefix('Error: ')}")
        return "\n".join(lines)

    def _run(self, arguments: Sequence[str]) -> tuple[int, list[str]]:
        self._say(arguments)
        lines = []
        with self._running(arguments) as process:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                if self._teller:
                    self._teller.output(lines[-1])
            return process.wait(TIMEOUT_S), lines

    @contextmanager
    def begun(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs; it is ended with the block, if it has not by itself."""
        self._say(arguments)
        with self._running(arguments) as process:
            yield process

    def _say(self, arguments: Sequence[str]) -> None:
        if self._teller:
            self._teller.command(shlex.join(("cfy", *arguments)))

    @contextmanager
    def _running(self, arguments: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.cfy", *arguments],
            env=os.environ | {"CFY_HOME": str(self.home), "CFY_PASSWORD": self._cluster.password},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C is for the demo, which ends its commands itself.
            start_new_session=True,
        )
        watchdog = threading.Timer(TIMEOUT_S, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()


def form(cluster: Cluster, cfy: Cfy, timeout_s: float = 60.0) -> Node:
    """Make one cluster of all the managers of the bed, by its commands; the first one leads it.

    Returns the leader when all the replicas are in step. Raises ``CommandFailed`` and ``Unfinished``.
    """
    first, *others = cluster.bed.nodes
    cfy.start_cluster(first)
    for node in others:
        cfy.join_cluster(node, first)
    return cluster.wait_until_whole(timeout_s)
