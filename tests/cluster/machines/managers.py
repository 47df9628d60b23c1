"""Managers on machines of their own, made and asked by the commands that an operator has."""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.bed import Bed
from tests.cluster.bed.errors import BedError
from tests.cluster.bed.node import Node
from tests.support.waiting import eventually

BIN = "/opt/cloudify/bin"
CA = "/etc/cloudify/cluster-ssl/ca.pem"
KNOWN_CAS = "/root/known-cas.pem"
PASSWORD = "a word for tests"
EVERYBODY = "everybody"
"""The profile that holds all members."""

COMMAND_S = 300.0
WHOLE_S = 180.0


class Managers:
    """The managers of a bed; the commands are given on its first machine."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed

    def install(self) -> None:
        """Make each machine a manager."""
        for node in self.bed:
            self.install_one(node)
        cas = "".join(node.read(CA) for node in self.bed)
        for node in self.bed:
            node.write(KNOWN_CAS, cas)

    def install_one(self, node: Node) -> dict[str, Any]:
        """Make this machine a manager; gives what the command told."""
        variables = ("env", f"CLOUDIFY_ADMIN_PASSWORD={PASSWORD}")
        done = node.run(*variables, f"{BIN}/cfy_manager", "--json", "install", timeout_s=COMMAND_S)
        return json.loads(done.stdout)

    def form(self) -> None:
        """Make a cluster of them, and let commands be given on each machine."""
        first, *others = self.bed
        for node in self.bed:
            self._use(first, node.address, node.name)
        self._give(first, "--profile", first.name, "cluster", "start", "--cluster-node-name", first.name)
        for node in others:
            joining = ("cluster", "join", first.name, "--cluster-node-name", node.name)
            self._give(first, "--profile", node.name, *joining)
        for node in self.bed:
            self._use(node, first.address, EVERYBODY)

    def cfy(self, node: Node, *words: str) -> Any:
        """What ``cfy`` prints on a machine, as JSON, for whoever leads."""
        return self._give(node, "--profile", EVERYBODY, *words)

    def _use(self, node: Node, address: str, profile: str) -> None:
        given = (address, "--profile-name", profile, "-u", "admin", "-p", PASSWORD)
        self._give(node, "profiles", "use", *given, "--ssl-ca-file", KNOWN_CAS)

    @staticmethod
    def _give(node: Node, *words: str) -> Any:
        told = node.run(f"{BIN}/cfy", "--json", *words, timeout_s=COMMAND_S).stdout
        return json.loads(told) if told.strip() else None

    def members(self, asked: Node) -> dict[str, dict[str, Any]]:
        """The members by name, as their leader lists them."""
        return {each["name"]: each for each in self.cfy(asked, "cluster", "nodes", "list")}

    def whole(self, asked: Node) -> str:
        """Wait until all are well; the leader's name."""
        leaders: list[str] = []

        def well() -> bool:
            found = self.members(asked)
            leaders[:] = [name for name, each in found.items() if each["state"] == "leader"]
            checks = [passes for each in found.values() for passes in each["checks"].values()]
            return len(leaders) == 1 and all(checks) and all(each["online"] for each in found.values())

        eventually(lambda: _tried(well), WHOLE_S, "all members are well")
        return leaders[0]


def _tried(question) -> bool:
    try:
        return question()
    except BedError:
        return False  # Nobody leads yet, or the machine is on its way.
