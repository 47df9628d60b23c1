"""Working on a snapshot in a process in which something happens at just the wrong moment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from manager.auth import Caller
from manager.gateway import settings_of
from manager.models import ADMIN_ROLE, Tenant, User
from manager.slots import WriteSlot
from manager.snapshots import labour
from manager.snapshots.labour import Order
from manager.tenancy import Scope
from tests.support.rest import ADMIN, TENANT, ManagerNode
from tests.support.snapshots import storage_of

TIMEOUT_S = 60

# Runs in the process that does the work: something else happens before or after the first call of a function.
PROGRAM = """
import os, signal, subprocess, sys
from manager.files import Unit
from manager.gateway import Gateway
from manager.snapshots import __main__ as program, creating, loading, restoring
from manager.snapshots.loading import Swap
from manager.snapshots.restoring import Restoration

def die(): os.kill(os.getpid(), signal.SIGKILL)
def run(*command): subprocess.run(command, check=True)

owner, name, real = {owner}, {name!r}, {owner}.{name}
def changed(*arguments, **named):
    setattr(owner, name, real)
    {before}
    result = real(*arguments, **named)
    {after}
    return result
setattr(owner, name, changed)
sys.argv = ["", {execution!r}]
sys.exit(program.main())
"""


def client_program(node: ManagerNode, statement: str) -> str:
    """A statement for ``PROGRAM`` that has a process of its own do something with ``rest``, a client."""
    client = node.client()
    program = (
        "from pathlib import Path; from tests.support.rest import RestClient; "
        "from tests.support import uploads; "
        f"rest = RestClient({client.base!r}, Path({str(client.ca_file)!r})); {statement}"
    )
    return f"run({sys.executable!r}, '-c', {program!r})"


def run_changed(
    node: ManagerNode, order: Order, prepare: Callable[[Session, Scope], None] | None = None, **program: str
) -> dict[str, str]:
    """Carry out an order in a process that goes wrong as ``PROGRAM`` says; its execution.

    ``owner`` and ``name`` say which function, ``before`` and ``after`` what else is done then.
    """
    storage, folders = storage_of(node), settings_of(node.config).folders
    execution_id = labour.new_id()
    descriptor = labour.claim(folders, execution_id)
    with storage.writing(WriteSlot()) as session:
        tenant = session.scalars(select(Tenant).where(Tenant.name == TENANT)).one()
        user = session.scalars(select(User).where(User.username == ADMIN[0])).one()
        scope = Scope(Caller(user.id, user.username, ADMIN_ROLE), tenant.id, tenant.name, None)
        if prepare:
            prepare(session, scope)
        labour.begin(session, scope, order, execution_id)
    storage.close()
    usual = {"before": "pass", "after": "pass", "execution": execution_id}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(**usual | program)],
        env={**os.environ, "CLOUDIFY_CONFIG": str(node.file)},
        stdin=subprocess.PIPE,
        pass_fds=(descriptor,),
    )
    os.close(descriptor)
    try:
        process.wait(TIMEOUT_S)
    finally:
        process.kill()
        process.communicate()
    return {"id": execution_id}
