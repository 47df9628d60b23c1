"""Clients that ask each of some members all the time, and write down every answer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import requests

from demo.cluster import Cluster
from demo.node import Node
from demo.rest import Client, Rejected

ANSWERED = "200"
PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Answer:
    """What a member said to a request. Times are on the monotonic clock, in seconds."""

    said: str
    asked_s: float
    answered_s: float


class Crowd:
    """One client at each of ``nodes``."""

    def __init__(self, cluster: Cluster, nodes: Iterable[Node]) -> None:
        self._cluster = cluster
        self._answers: dict[str, list[Answer]] = {node.name: [] for node in nodes}
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(node,), daemon=True) for node in nodes]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def answers_of(self, node: Node) -> Counter[str]:
        """How often the member said what: ``200``, ``400 not_cluster_master``, or what went wrong."""
        return Counter(answer.said for answer in self._answers[node.name])

    def was_held_for(self, node: Node) -> bool:
        """Whether the member answered, as its first, a request that had come before it led."""
        answers = self._answers[node.name]
        first = next(number for number, answer in enumerate(answers) if answer.said == ANSWERED)
        return answers[first].answered_s - answers[first].asked_s > 2 * PAUSE_S

    def _ask(self, node: Node) -> None:
        client = Client(self._cluster.access_to(node), read_timeout_s=10.0)
        while not self._ending.wait(PAUSE_S):
            asked_s = time.monotonic()
            said = code_of(client, node)
            self._answers[node.name].append(Answer(said, asked_s, time.monotonic()))
        client.close()


def code_of(client: Client, node: Node) -> str:
    """What one member says to a request that only a leader grants."""
    try:
        client.ask(node.host_ip, "GET", "/status")
    except Rejected as error:
        return f"{error.status} {error.code}"
    except requests.RequestException as error:
        return type(error).__name__
    return ANSWERED
