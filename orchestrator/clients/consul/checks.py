"""Health checks: how this node reports to Consul, and what Consul knows of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from orchestrator.clients.consul.connection import Connection, next_index
from orchestrator.clients.consul.http import ConsulComplained, endpoint
from orchestrator.clients.consul.library import Check
from orchestrator.config import NodeConfig

REPORTED = ("database", "services", "heartbeat")
GUARD = "guard"
SERF = "serfHealth"
GUARD_TIMEOUT_S = 1.0

# What Consul says of a check that it does not know: 1.8, and newer ones.
UNKNOWN_CHECK = ("does not have associated TTL", "Unknown check")


def guard_check(config: NodeConfig) -> dict[str, str]:
    """How Consul finds out that a node's processes are gone: it connects to the guard (Consul's "Checks")."""
    return {
        "tcp": endpoint(config.host_ip, config.ports.guard),
        "interval": f"{config.timing.guard_check_interval_s}s",
        "timeout": f"{GUARD_TIMEOUT_S}s",
    }


class CheckOperations(Connection):
    """Registering, reporting and reading health checks."""

    def __init__(self, config: NodeConfig, me: str, check_ttl_s: float | None = None) -> None:
        """``check_ttl_s``: with which checks are registered that the agent has forgotten."""
        super().__init__(config, me)
        self._ttl_s = check_ttl_s or config.timing.heartbeat_ttl_s

    def register_checks(self, ttl_s: float) -> None:
        """Have exactly the checks of this node, each reported one failing after ``ttl_s`` seconds of silence.

        Can be called at any time: a check that is there already keeps its state.
        """
        self._ttl_s = ttl_s
        # Registering again would show the check as failing for a moment, and end the session. Consul does not
        # tell a check's times, so they are written into its notes.
        present = {check["CheckID"]: check["Notes"] for check in self._api.agent.checks().values()}
        for name, definition in self._definitions().items():
            notes = str(definition)
            if present.get(name) != notes:
                self._api.agent.check.register(name, definition, check_id=name, notes=notes)

    def tell_servers_again(self, checks: frozenset[str]) -> None:
        """Have the servers told of those of ``checks`` that pass by what this node's own agent knows.

        An agent whose news was lost, because the servers were electing, tells them again only when it next
        compares everything with them, after a minute or two (Consul's documentation, "Anti-Entropy"). For so
        long the node could make no session. A check that is registered as passing is news at once.
        """
        agent = self._api.agent
        passing = {check["CheckID"] for check in agent.checks().values() if check["Status"] == "passing"}
        definitions = self._definitions()
        for name in checks & passing & definitions.keys():
            definition = definitions[name]
            agent.check.register(
                name, {**definition, "status": "passing"}, check_id=name, notes=str(definition)
            )

    def _definitions(self) -> dict[str, dict[str, str]]:
        reported = {name: Check.ttl(f"{self._ttl_s}s") for name in REPORTED}
        return {**reported, GUARD: guard_check(self.config)}

    def pass_check(self, check: str) -> None:
        """Report that ``check`` passes. The local agent answers, which says nothing about the majority."""
        self._tell("pass", check, "")

    def fail_check(self, check: str, why: str) -> None:
        """Report that ``check`` fails, at once."""
        self._tell("fail", check, why)

    def _tell(self, verdict: str, check: str, why: str) -> None:
        tell = {"pass": self._api.agent.check.ttl_pass, "fail": self._api.agent.check.ttl_fail}[verdict]
        if not _known(tell, check, why):
            # The agent forgets its checks together with its data folder.
            self.register_checks(self._ttl_s)
            tell(check, why)

    def health(self) -> Mapping[str, frozenset[str]]:
        """The names of each node's passing checks; Consul's own is called ``consul``.

        Of a node whose agent is gone nothing passes: the rest is only what the agent said last.
        """
        _, passing = self._api.health.state("passing")
        found: dict[str, set[str]] = defaultdict(set)
        for check in passing or ():
            found[check["Node"]].add("consul" if check["CheckID"] == SERF else check["CheckID"])
        return {
            node: frozenset(checks) if "consul" in checks else frozenset() for node, checks in found.items()
        }

    def wait_for_health(self, index: int, wait_s: float) -> int:
        """Like ``wait_for_change``, for the state of any check of any node."""
        found, _ = self._api.health.state("passing", index=index, wait=f"{wait_s}s")
        return next_index(index, found)


def _known(tell: Callable[[str, str], bool], check: str, why: str) -> bool:
    try:
        return tell(check, why)
    except ConsulComplained as error:
        if any(words in error.text for words in UNKNOWN_CHECK):
            return False
        raise
