"""The node on this machine, reached through its own task queue: a Redis on a Unix socket.

No network and no REST service are needed, and nobody has to lead: who may open the socket is the operator.
The tasks are known by their names alone, so that this program shares no code with what it commands.
"""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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

P = ParamSpec("P")
R = TypeVar("R")


class Work:
    """Something that the node has been told to do."""

    def __init__(self, task: str, result: Any) -> None:
        self._task = task
        self._result = result

    def ready(self) -> bool:
        """Whether the node is done with it, well or not."""
        with self._answering():
            return bool(self._result.ready())

    def result(self, timeout_s: float) -> Any:
        """What came of it. Raises ``CliError`` with the node's words, or ``NodeUnreachable``."""
        with self._answering():
            # A task's error arrives as a class that Celery makes up from its name: its words are what counts.
            value = self._result.get(timeout=timeout_s, propagate=False)
            failed = self._result.failed()
        if failed:
            raise CliError(str(value))
        return value

    @contextmanager
    def _answering(self) -> Iterator[None]:
        from celery.exceptions import TimeoutError as NoResult
        from redis.exceptions import RedisError

        try:
            yield
        except (NoResult, RedisError) as error:
            raise NodeUnreachable(
                f"The node does not answer ({self._task}).",
                "Do its services run, the handler-runner above all?",
            ) from error


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
        hint = f"Name the node's configuration: --config-file FILE, or {CONFIG_VARIABLE}"
        try:
            return tomllib.loads(self.config_file.read_text())
        except OSError as error:
            raise CliError(f"{self.config_file}: cannot be read: {error.strerror}", hint) from error
        except tomllib.TOMLDecodeError as error:
            raise CliError(f"{self.config_file}: is not valid TOML: {error}", hint) from error

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
        from kombu.exceptions import OperationalError

        self.out.trace(f"{task} -> {self.socket} ({queue})")
        try:
            result = self._app.send_task(
                task, kwargs=dict(arguments), queue=queue, expires=expires_s, retry=False
            )
        except OperationalError as error:
            raise NodeUnreachable(
                f"The node's task queue does not answer at {self.socket}.",
                f"Does the node run, and may this user open the socket? Configuration: {self.config_file}",
            ) from error
        return Work(task, result)

    @functools.cached_property
    def _app(self) -> Any:
        from celery import Celery

        url = f"redis+socket://{self.socket}?virtual_host="
        app = Celery(broker=f"{url}0", backend=f"{url}1", set_as_current=False)
        app.conf.update(
            broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2},
            redis_socket_connect_timeout=2,
            result_backend_transport_options={"retry_policy": {"max_retries": 1}},
        )
        return app


def pass_node(function: Callable[Concatenate[Node, P], R]) -> Callable[P, R]:
    """Give a command the node of this machine as its first argument."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        settings = click.get_current_context().ensure_object(Settings)
        return function(Node(settings), *args, **kwargs)

    return wrapper
