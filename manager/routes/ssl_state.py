"""Whether the API is spoken with encryption, which is a matter of configuration."""

from __future__ import annotations

from fastapi import Request
from pydantic import StrictBool

from manager.dependencies import Admin, Caller
from manager.errors import IllegalAction
from manager.routes.json_route import Body, router

ssl_state = router()

PROTOCOLS = {True: "https", False: "http"}
STATES = {True: "enabled", False: "disabled"}


class Wanted(Body):
    """What SSL is to be."""

    state: StrictBool


@ssl_state.get("/ssl")
def read_ssl(_: Caller, request: Request) -> str:
    """Whether this manager uses SSL, in a sentence: ``SSL enabled`` or ``SSL disabled``."""
    return f"SSL {STATES[request.app.state.secure]}"


@ssl_state.post("/ssl")
def set_ssl(_: Admin, request: Request, wanted: Wanted) -> str:
    """Refused but for what is so already: clients would lose a manager that changes while it runs."""
    state = STATES[wanted.state]
    if wanted.state != request.app.state.secure:
        protocol = PROTOCOLS[wanted.state]
        raise IllegalAction(
            f'SSL cannot be {state} while the manager runs. Set `protocol = "{protocol}"` in the section '
            "`[rest]` of the configuration, on every member of the cluster alike, restart their services, "
            f"and tell each client (`cfy profiles set --rest-protocol {protocol}`)."
        )
    return f"SSL is already {state} on the manager"
