"""The service ``mgmtworker``: has an engine run for as long as there is something for one to do.

An engine and its worker take a second of processor time to start, and 100 MiB. Most of the time there is
nothing for them to do, and above all not when a new leader lets its clients in. So this process, which has
next to nothing imported, waits beside the database, and starts them as its child. An engine ends by itself
when it was without work for a while. Then it is looked for work anew, before anything else: what was written
while the engine made up its mind is found.

There is nothing here that could be mended. When the engine ends in disorder, or the database is lost, this
process ends as well, and the service manager starts it again; when this one ends, however it ends, the kernel
ends the engine and all that it runs.
"""

from __future__ import annotations

import logging
import os
import select
from contextlib import closing
from typing import NoReturn

from psycopg2 import extensions

from manager.gateway.configuration import load_config, settings_of
from manager.operations.processes import die_with_parent
from manager.settings import DatabaseSettings
from manager.workflows.listener import listen
from manager.workflows.logs import log_to_stderr
from manager.workflows.needs import Needs, look

log = logging.getLogger("mgmtworker")

LOOK_EVERY_S = 5.0
"""Whoever writes something for an engine says so; this is for what nobody would say: a time has come."""

ENDED_IN_DISORDER = 1


def main() -> int:
    """Run until something goes wrong. Raises ``psycopg2.Error`` when the database is lost."""
    log_to_stderr()
    settings = settings_of(load_config()).database
    while True:
        wait_for_work(settings)
        if code := run_engine():
            log.error("The engine has ended (%d); this service ends as well, and is started again.", code)
            return ENDED_IN_DISORDER


def wait_for_work(settings: DatabaseSettings) -> None:
    """Return when an engine is needed. Raises ``psycopg2.Error``."""
    # The connection is gone when the engine is forked, which has its own.
    with closing(listen(settings)) as connection:
        while not (needs := look(connection)).engine:
            hear(connection, pause_s(needs))


def pause_s(needs: Needs) -> float:
    """For how long nothing has to be looked at, unless somebody says so."""
    return LOOK_EVERY_S if needs.due_in_s is None else min(LOOK_EVERY_S, needs.due_in_s)


def hear(connection: extensions.connection, wait_s: float) -> None:
    """Return when somebody has said something, and after ``wait_s`` seconds. Raises ``psycopg2.Error``."""
    if select.select([connection], [], [], wait_s)[0]:
        connection.poll()
        connection.notifies.clear()


def run_engine() -> int:
    """Have an engine run as a child of this process, until it ends; its exit code."""
    doorkeeper = os.getpid()
    engine = os.fork()
    if engine == 0:
        _be_engine(doorkeeper)
    _, status = os.waitpid(engine, 0)
    return os.waitstatus_to_exitcode(status)


def _be_engine(doorkeeper: int) -> NoReturn:
    code = ENDED_IN_DISORDER
    try:
        die_with_parent()
        if os.getppid() == doorkeeper:
            from manager.workflows.service import main as serve  # noqa: PLC0415  This is what takes a second.

            code = serve()
    except BaseException:
        log.exception("The engine has failed.")
    finally:
        # Whatever happens, it never returns into the loop of its parent.
        logging.shutdown()
        os._exit(code)
