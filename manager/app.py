"""Puts the REST service together. Read next: ``gate``, then ``dependencies``, then the routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import Depends, FastAPI

from manager import openapi, refusals
from manager.auth import Authenticator
from manager.closing import refuse_writes
from manager.files.works import tidy
from manager.gate import SERVING, Gate
from manager.gateway import Gateway
from manager.password_policy import PasswordPolicy
from manager.passwords import Passwords
from manager.patience import WRITERS, Patience
from manager.repeats import Answered
from manager.routes.agents import agents
from manager.routes.blueprint_upload import blueprint_upload
from manager.routes.blueprints import blueprints
from manager.routes.cluster import cluster
from manager.routes.deployment_creation import deployment_creation
from manager.routes.deployments import deployments
from manager.routes.events import events
from manager.routes.execution_actions import execution_actions
from manager.routes.execution_starting import execution_starting
from manager.routes.executions import executions
from manager.routes.maintenance import maintenance
from manager.routes.node_instances import node_instances
from manager.routes.nodes import nodes
from manager.routes.operations import operations
from manager.routes.snapshot_upload import snapshot_upload
from manager.routes.snapshots import snapshots
from manager.routes.ssl_state import ssl_state
from manager.routes.status import status, unversioned
from manager.routes.tasks_graphs import tasks_graphs
from manager.routes.tenants import tenants
from manager.routes.tokens import tokens
from manager.routes.upload_body import Places
from manager.routes.users import users
from manager.settings import Settings
from manager.snapshots.office import Office
from manager.storage import READERS, Storage, engine_for

THREADS = WRITERS + READERS
"""One for each connection to the database: a thread without one would only wait."""

ALWAYS_OPEN = (unversioned, status, ssl_state, maintenance, cluster, snapshots, snapshot_upload)
CLOSED_IN_MAINTENANCE = (
    *(tokens, users, tenants, blueprint_upload, blueprints, deployment_creation, deployments),
    *(nodes, node_instances, executions, execution_starting, execution_actions, tasks_graphs, operations),
    *(events, agents),
)
"""Their reading goes on."""


def create(settings: Settings, gateway: Gateway) -> FastAPI:
    """The ASGI application. It needs no database to start."""
    storage = Storage(engine_for(settings.database, WRITERS))
    office = Office(storage, settings.folders)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await anyio.to_thread.run_sync(tidy, settings.folders)
        looking = asyncio.create_task(office.keep_looking(lambda: gateway.verdict() in SERVING))
        yield
        looking.cancel()
        storage.close()

    app = FastAPI(
        title="Cloudify Manager",
        version="3.1",
        openapi_url="/api/spec",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.storage = storage
    app.state.gateway = gateway
    app.state.passwords = Passwords()
    app.state.authenticator = Authenticator(storage, app.state.passwords, settings.logins)
    app.state.password_policy = PasswordPolicy(settings.logins.min_password_length)
    app.state.answered = Answered()
    app.state.upload_places = Places()
    app.state.office = office
    app.state.folders = settings.folders
    app.state.secure = settings.certificate is not None
    app.state.patience = Patience(settings.commit_limit_s)
    refusals.install(app, gateway.verdict, settings.election_hold_s)
    for router in ALWAYS_OPEN:
        app.include_router(router)
    for router in CLOSED_IN_MAINTENANCE:
        app.include_router(router, dependencies=[Depends(refuse_writes)])
    openapi.install(app, (*ALWAYS_OPEN, *CLOSED_IN_MAINTENANCE))
    app.add_middleware(Gate, get_verdict=gateway.verdict, hold_s=settings.election_hold_s)
    return app
