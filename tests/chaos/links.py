"""What is lost on the way from one host to another: several faults may ask for that at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.cluster.bed.host import call
from tests.cluster.bed.network import Network, number_of

TABLE = "chaos"
HUNDRED = 100

Loss = tuple[str, str, int]
"""From whom, to whom, and how many of a hundred frames."""


class Links:
    """The losses that are in force on a switch."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._losses: Counter[Loss] = Counter()

    @contextmanager
    def losing(self, losses: Iterable[Loss]) -> Iterator[None]:
        """Lose frames for the length of the block."""
        asked = Counter(losses)
        self._losses += asked
        self._apply()
        try:
            yield
        finally:
            self._losses -= asked
            self._apply()

    def _apply(self) -> None:
        # In one transaction: there is no moment at which a fault that is still in force is not.
        rules = [_rule(*loss) for loss in self._losses]
        chain = {"family": "bridge", "table": TABLE, "name": "forward"}
        hook = {"type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}
        table = {"family": "bridge", "name": TABLE}
        commands = [{"add": {"table": table}}, {"delete": {"table": table}}, {"add": {"table": table}}]
        commands += [{"add": {"chain": chain | hook}}, *({"add": {"rule": rule}} for rule in rules)]
        ruleset = json.dumps({"nftables": commands})
        call(*self._network.inside("sh", "-c", 'echo "$0" | nft --json -f -', ruleset))


def _rule(source: str, target: str, percent: int) -> dict[str, object]:
    match = [_is("iifname", source), _is("oifname", target)]
    if percent < HUNDRED:
        chance = {"numgen": {"mode": "random", "mod": HUNDRED, "offset": 0}}
        match.append({"match": {"op": "<", "left": chance, "right": percent}})
    return {"family": "bridge", "table": TABLE, "chain": "forward", "expr": [*match, {"drop": None}]}


def _is(key: str, node: str) -> dict[str, object]:
    return {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": f"p{number_of(node)}"}}
