"""What routes ask for in their signatures."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from pydantic import BeforeValidator

from manager import auth, listing
from manager.errors import Unavailable
from manager.gateway import Gateway
from manager.patience import write_slot
from manager.slots import WriteSlot
from manager.storage import Storage


async def _storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage


async def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


async def _authenticator(request: Request) -> auth.Authenticator:
    authenticator: auth.Authenticator = request.app.state.authenticator
    return authenticator


async def read_list_query(request: Request) -> listing.ListQuery:
    """What the caller asks of a list. Raises ``BadParameters``."""
    return listing.parse(request.query_params.multi_items())


Authenticator = Annotated[auth.Authenticator, Depends(_authenticator)]


def find_caller(request: Request, authenticator: Authenticator) -> auth.Caller:
    """Who is calling. Raises ``Unauthorized``, ``Forbidden``, ``Unavailable``."""
    return authenticator.recognise(
        auth.read_credentials(request.headers), request.headers.get(auth.TENANT_HEADER)
    )


async def _admin(caller: Annotated[auth.Caller, Depends(find_caller)]) -> auth.Caller:
    caller.must_be_admin()
    return caller


def find_cluster_admin(request: Request, authenticator: Authenticator) -> auth.Caller:
    """The cluster can be looked at and mended also while this node's database is down."""
    try:
        caller = find_caller(request, authenticator)
    except Unavailable:
        caller = authenticator.recognise_without_database(auth.read_credentials(request.headers))
    caller.must_be_admin()
    return caller


Flag = Annotated[bool, BeforeValidator(lambda text: text or False)]
"""A truth value in an address. As in lists (``listing.boolean``), one that is empty is false."""

Caller = Annotated[auth.Caller, Depends(find_caller)]
Admin = Annotated[auth.Caller, Depends(_admin)]
ClusterAdmin = Annotated[auth.Caller, Depends(find_cluster_admin)]
ListQuery = Annotated[listing.ListQuery, Depends(read_list_query)]
Slot = Annotated[WriteSlot, Depends(write_slot)]
Database = Annotated[Storage, Depends(_storage)]
Cluster = Annotated[Gateway, Depends(_gateway)]
