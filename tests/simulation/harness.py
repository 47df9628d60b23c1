"""Puts the product's modules into the simulated world: its clock, and memory instead of files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Self
from unittest import mock

from orchestrator.model.spec import Options
from tests.simulation.cluster import SAFE, SimCluster
from tests.simulation.surroundings import MemoryFile

CLOCKS = (
    "orchestrator.reconcile",
    "orchestrator.observe.confirmation",
    "orchestrator.record.word",
    "orchestrator.act.files",
    "manager.gateway.files",
)


class _AtOnce:
    """A thread pool without threads: work is done when it is handed in."""

    def __init__(self, _: int) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, work: Callable[..., object], *arguments: object) -> _AtOnce:
        self._result = work(*arguments)
        return self

    def result(self, _: float) -> object:
        return self._result


def _write(path: MemoryFile, text: str, **_: object) -> None:
    path.write(text)


@contextmanager
def world(
    size: int, seed: int | None, *, with_files: bool = False, options: Options = SAFE
) -> Iterator[SimCluster]:
    """A cluster of ``size`` machines. Without a seed everything goes well and takes always the same time."""
    with ExitStack() as stack:
        for module in (
            "promises",
            "session",
            "election",
            "attempts",
            "lease_file",
            "files",
            "workflows",
            "office",
            "alone",
            "minority",
            "known",
        ):
            stack.enter_context(mock.patch(f"orchestrator.record.{module}.write_atomically", _write))
        stack.enter_context(mock.patch("orchestrator.act.postgres.ThreadPoolExecutor", _AtOnce))
        stack.enter_context(mock.patch("orchestrator.act.postgres.ssh_files.authorise"))
        stack.enter_context(mock.patch("orchestrator.observe.confirmation.Timer"))
        stack.enter_context(mock.patch("orchestrator.record.journal.tell"))
        for step in ("begin", "finish", "discard_without"):
            folder = MemoryFile({})
            stack.enter_context(mock.patch(f"orchestrator.record.archive.{step}", return_value=folder))
        stack.enter_context(mock.patch("orchestrator.record.outbox.deliver"))
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, logging.NOTSET)
        cluster = SimCluster(size, seed, with_files=with_files, options=options)
        clock = cluster.schedule.read_clock
        for module in CLOCKS:
            stack.enter_context(mock.patch(f"{module}.now_s", clock))
        stack.enter_context(
            mock.patch("manager.gateway.files.log.warning", cluster.invariants.is_unprotected)
        )
        try:
            yield cluster
        finally:
            for machine in cluster.machines.values():
                machine.kill_programs()
