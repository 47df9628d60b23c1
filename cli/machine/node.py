"""The node on this machine, reached through its own task queue: a Redis on a Unix socket.

No network and no REST service are needed, and nobody has to lead: who may open the socket is the operator.
The tasks are known by their names alone, so that this program shares no code with what it commands.
"""

from __future__ import annotations

import functools
import os
import socket
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from cli.errors import CliError, NodeUnreachable
from cli.output import Output
from cli.settings import Settings

CONFIG_VARIABLE = "CLOUDIFY_CONFIG"
DEFAULT_CONFIG_FILE = "/etc/cloudify/manager.toml"
DEFAULT_RUN_FOLDER = "/run/cloudify"

QUICK_QUEUE, WORK_QUEUE = "health", "cluster"
"""The node answers on the one at any time; on the other it does one thing after another."""

ANSWER_TIMEOUT_S = 10.0
RESULT_INTERVAL_S = 0.02

P = ParamSpec("P")
R = TypeVar("R")


class Work:
    """Something that the node has been told to do."""

    def __init__(self, task: str, task_id: str, results: Any) -> None:
        self._task = task
        self._task_id = task_id
        self._results = results

    def ready(self) -> bool:
        """Whether the node is done with it, well or not. Raises ``NodeUnreachable``."""
        return self._read()["status"] in {"SUCCESS", "FAILURE", "REVOKED"}

    def result(self, timeout_s: float) -> Any:
        """What came of it. Raises ``CliError`` with the node's words, or ``NodeUnreachable``."""
        deadline_s = time.monotonic() + timeout_s
        while not self.ready():
            if time.monotonic() > deadline_s:
                raise self._silence()
            time.sleep(RESULT_INTERVAL_S)
        found = self._read()
        if found["status"] != "SUCCESS":
            # A task's error arrives as a class that Celery makes up from its name: its words are what counts.
            raise CliError(str(found["result"]))
        return found["result"]

    def _read(self) -> Mapping[str, Any]:
        from redis.exceptions import RedisError

        try:
            found: Mapping[str, Any] = self._results.get_task_meta(self._task_id)
        except RedisError as error:
            raise self._silence() from error
        return found

    def _silence(self) -> NodeUnreachable:
        return NodeUnreachable(
            f"The node does not answer ({self._task}).", "Do its services run, the handler-runner above all?"
        )


class Node:
    """The node that a configuration file describes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.out = Output(settings)
        self.config_file = Path(
            settings.config_file or os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG_FILE
        )

    @functools.cached_property
    def config(self) -> Mapping[str, Any]:
        """The configuration as it stands in the file. Raises ``CliError`` when it cannot be read."""
        try:
            return tomllib.loads(self.config_file.read_text())
        except OSError as error:
            hint = (
                f"A configuration elsewhere: --config-file FILE, or {CONFIG_VARIABLE}."
                " Without a manager on this machine: cfy_manager install."
            )
            raise CliError(f"{self.config_file}: cannot be read: {error.strerror}", hint) from error
        except tomllib.TOMLDecodeError as error:
            raise CliError(f"{self.config_file}: is not valid TOML: {error}") from error

    @property
    def socket(self) -> Path:
        """Where the node's task queue listens."""
        return Path(self.config.get("paths", {}).get("run", DEFAULT_RUN_FOLDER)) / "redis.sock"

    def ask(self, task: str, **arguments: Any) -> Any:
        """Have a short task done, and return its result. Raises ``CliError``, ``NodeUnreachable``."""
        work = self._send(task, arguments, QUICK_QUEUE, expires_s=ANSWER_TIMEOUT_S)
        return work.result(ANSWER_TIMEOUT_S)

    def begin(self, task: str, **arguments: Any) -> Work:
        """Have something done that takes long. Raises ``NodeUnreachable`` when nobody takes it."""
        return self._send(task, arguments, WORK_QUEUE)

    def _send(
        self, task: str, arguments: Mapping[str, Any], queue: str, expires_s: float | None = None
    ) -> Work:
        self._check_socket()
        self.out.trace(f"{task} -> {self.socket} ({queue})")
        sent = self._celery().send_task(
            task, kwargs=dict(arguments), queue=queue, expires=expires_s, retry=False
        )
        return Work(task, sent.id, self._results)

    def _check_socket(self) -> None:
        # Celery would try again for a while, and then tell its log.
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError as error:
                raise NodeUnreachable(
                    f"The node's task queue does not answer: {self.socket}: {error.strerror}",
                    f"Does the node run, and may this user open its socket? See {self.config_file}.",
                ) from error

    def _celery(self, **backend: str) -> Any:
        from celery import Celery

        app = Celery(broker=f"redis+socket://{self.socket}?virtual_host=0", set_as_current=False, **backend)
        app.conf.broker_transport_options = {"socket_timeout": 5, "socket_connect_timeout": 2}
        return app

    @functools.cached_property
    def _results(self) -> Any:
        # Apart from what sends: a result that is subscribed to leaves subscriptions to be cleaned up.
        return self._celery(backend=f"redis+socket://{self.socket}?virtual_host=1").backend


def pass_node(function: Callable[Concatenate[Node, P], R]) -> Callable[P, R]:
    """Give a command the node of this machine as its first argument."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        settings = click.get_current_context().ensure_object(Settings)
        return function(Node(settings), *args, **kwargs)

    return wrapper
