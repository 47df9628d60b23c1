"""What decisions depend on beside the snapshot: a node's options and the cluster's time limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.model.errors import BadOption

LEADER_SERVICES = ("broker", "mgmtworker")
"""Services that run on the leader only, in the order in which they start; they stop the other way round."""


@dataclass(frozen=True, slots=True)
class Options:
    """The node options of ``cfy cluster start/join --options`` and ``cfy cluster nodes update``."""

    check_ttl_multiplier: float = 1.0
    check_fail_fast: bool = True
    consul_raft_multiplier: int = 1
    minority_mode: str = "active"
    heal_policy: str = "most_recent"
    sync_mode: str = "quorum"

    def as_dict(self) -> dict[str, Any]:
        """The options as plain values, for REST and for Consul."""
        return asdict(self)

    def updated(self, changes: Mapping[str, object]) -> Options:
        """These options with ``changes`` (strings or values) applied. Raises ``BadOption``."""
        return Options(**{**self.as_dict(), **{name: _parse(name, value) for name, value in changes.items()}})


@dataclass(frozen=True, slots=True)
class _OptionType:
    expected: str
    parse: Callable[[str], object]


def _one_of(*choices: str) -> _OptionType:
    def parse(text: str) -> object:
        if text not in choices:
            raise ValueError(text)
        return text

    return _OptionType("one of " + ", ".join(choices), parse)


def _number(low: float, high: float, kind: type[int | float]) -> _OptionType:
    def parse(text: str) -> object:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    noun = "a whole number" if kind is int else "a number"
    return _OptionType(f"{noun} from {low:g} to {high:g}", parse)


def _boolean() -> _OptionType:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

    def parse(text: str) -> object:
        if text.lower() not in words:
            raise ValueError(text)
        return words[text.lower()]

    return _OptionType("true or false", parse)


OPTION_TYPES: Mapping[str, _OptionType] = {
    "check_ttl_multiplier": _number(0.5, 100, float),
    "check_fail_fast": _boolean(),
    "consul_raft_multiplier": _number(1, 10, int),
    "minority_mode": _one_of("active", "read_only", "offline"),
    "heal_policy": _one_of("most_recent", "majority"),
    "sync_mode": _one_of("quorum", "async"),
}


def _parse(name: str, value: object) -> object:
    option = OPTION_TYPES.get(name)
    if option is None:
        valid = ", ".join(sorted(OPTION_TYPES))
        raise BadOption(f"There is no node option {name!r}. Valid options: {valid}.")
    try:
        return option.parse(str(value))
    except ValueError:
        message = f"Option {name!r} does not take {str(value)!r}: expected {option.expected}."
        raise BadOption(message) from None


@dataclass(frozen=True, slots=True)
class Spec:
    """What ``decide`` is parameterised by on one node. Durations in seconds.

    ``alone_after_s``: with no healthy replica for so long, a leader goes on alone (``k`` = 0).
    ``drop_after_s``: a member that has not streamed for so long leaves the sync record.
    ``switchover_timeout_s``: how long a handed-over lease waits for its target.
    ``step_down_hold_s``: how long a node that has stepped down is no candidate.
    ``service_grace_s``: how long a leader's services may fail before it hands over.
    ``receiver_grace_s``: how long a replica may be without a stream before it follows anew.
    ``minority_after_s``: how long a node that is cut off waits before it acts by its ``minority_mode``.
    ``claim_timeout_s``: how long a node that is back waits for the leader to give way.
    ``files_*_s``: how often files are compared, checked by content, swept; when to try again.
    """

    me: str
    options: Options = Options()
    leader_services: frozenset[str] = frozenset(LEADER_SERVICES)
    alone_after_s: float = 10.0
    drop_after_s: float = 5.0
    switchover_timeout_s: float = 3.0
    step_down_hold_s: float = 10.0
    service_grace_s: float = 10.0
    receiver_grace_s: float = 3.0
    minority_after_s: float = 15.0
    claim_timeout_s: float = 10.0
    files_compare_s: float = 60.0
    files_check_s: float = 3600.0
    files_sweep_s: float = 60.0
    files_retry_s: float = 2.0
