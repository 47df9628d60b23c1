"""Puts the REST service together. Read next: ``gate``, then ``dependencies``, then the routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI

from manager import refusals
from manager.auth import Authenticator
from manager.files.works import tidy
from manager.gate import Gate
from manager.gateway import Gateway
from manager.passwords import Passwords
from manager.patience import WRITERS, Patience
from manager.repeats import Answered
from manager.routes.blueprint_upload import blueprint_upload
from manager.routes.blueprints import blueprints
from manager.routes.cluster import cluster
from manager.routes.status import status, unversioned
from manager.routes.tenants import tenants
from manager.routes.tokens import tokens
from manager.routes.users import users
from manager.settings import Settings
from manager.storage import READERS, Storage, engine_for

THREADS = WRITERS + READERS
"""One for each connection to the database: a thread without one would only wait."""


def create(settings: Settings, gateway: Gateway) -> FastAPI:
    """The ASGI application. It needs no database to start."""
    storage = Storage(engine_for(settings.database, WRITERS))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await anyio.to_thread.run_sync(tidy, settings.folders)
        yield
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
    app.state.authenticator = Authenticator(storage, app.state.passwords)
    app.state.answered = Answered()
    app.state.folders = settings.folders
    app.state.patience = Patience(settings.commit_limit_s)
    refusals.install(app, gateway.verdict, settings.election_hold_s)
    for router in (unversioned, status, tokens, cluster, users, tenants, blueprint_upload, blueprints):
        app.include_router(router)
    app.add_middleware(Gate, get_verdict=gateway.verdict, hold_s=settings.election_hold_s)
    return app
