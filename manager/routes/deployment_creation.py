"""Making deployments: the parser fills in the inputs, and everything is there with one commit."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Request
from pydantic import Field
from sqlalchemy import exc, func, select
from sqlalchemy.orm import Session, undefer

from manager import deploying, dsl, events, maintenance, tenancy
from manager.dependencies import Database
from manager.errors import BadParameters, Conflict, NotFound, Unavailable
from manager.models import DEFAULT_VISIBILITY, NAME_LENGTH, Blueprint, Deployment
from manager.patience import write_slot
from manager.repeats import REPEATED_WITHIN, Answered
from manager.routes.deployments import CREATION, check_not_wider, is_wider, shape
from manager.routes.json_route import NAME_PATTERN, Body, Document, router
from manager.routes.upload_body import Places
from manager.slots import WriteSlot
from manager.storage import Storage
from manager.tenancy import Scope, WritingInTenant

deployment_creation = router()

TRIES = 3
TAKEN = "deployments_tenant_id_id_key"
INSTANCE_TAKEN = "node_instances_tenant_id_id_key"


class NewDeployment(Body):
    """The body of ``PUT /deployments/ID``. ``skip_plugins_validation``: there are no plugins to validate."""

    blueprint_id: Annotated[str, Field(max_length=NAME_LENGTH)]
    inputs: Document | None = None
    visibility: str | None = None
    private_resource: bool | None = None
    skip_plugins_validation: bool | None = None

    @property
    def wanted_visibility(self) -> str | None:
        """Also as clients asked for it before there were visibilities."""
        return self.visibility or ("private" if self.private_resource else None)


@dataclass(frozen=True, slots=True)
class Made:
    """A deployment that is there: just now, or by the same request before, whose client may not know it."""

    key: str
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Creation:
    """One deployment on its way. Its methods are for threads."""

    identifier: str
    new: NewDeployment
    scope: Scope
    storage: Storage
    answered: Answered

    def plan(self) -> dsl.DeploymentPlan:
        """What it consists of. Raises what a client can have done wrong."""
        with self.storage.reading() as session:
            maintenance.check_may_start(session)
            self._check_free(session)
            options = undefer(Blueprint.plan)
            blueprint = tenancy.find(session, self.scope, Blueprint, self.new.blueprint_id, options)
            self._visibility(blueprint)
            plan = blueprint.plan
        return dsl.prepare(plan, self.new.inputs or {})

    def commit(self, plan: dsl.DeploymentPlan, slot: WriteSlot) -> Made:
        """Write the rows. Raises ``IntegrityError`` when an id is taken."""
        with self.storage.writing(slot) as session:
            maintenance.check_may_start(session)
            if (repeated := self._repeated(session, plan)) is not None:
                return repeated
            blueprint = self._blueprint(session)
            visibility = self._visibility(blueprint)
            tenancy.check_unique(session, self.scope, Deployment, self.identifier, visibility)
            deployment = Deployment(
                id=self.identifier,
                tenant_id=self.scope.tenant_id,
                creator_id=self.scope.caller.user_id,
                visibility=visibility,
                blueprint=blueprint,
            )
            deploying.add(session, deployment, plan)
            events.note_done(session, self.scope, CREATION, deployment, deployment_pk=deployment.pk)
            return Made(_key(deployment), shape(deployment))

    def _blueprint(self, session: Session) -> Blueprint:
        """Locked, so that it stays until there is a deployment that keeps it."""
        blueprint = tenancy.find(session, self.scope, Blueprint, self.new.blueprint_id)
        lock = select(Blueprint.pk).where(Blueprint.pk == blueprint.pk)
        if session.scalar(lock.with_for_update(read=True, key_share=True)) is None:
            raise NotFound.of("Blueprint", self.new.blueprint_id)
        return blueprint

    def _visibility(self, blueprint: Blueprint) -> str:
        wanted = self.new.wanted_visibility
        if wanted is None:
            narrow = is_wider(DEFAULT_VISIBILITY, blueprint.visibility)
            return blueprint.visibility if narrow else DEFAULT_VISIBILITY
        tenancy.check_visibility(self.scope, wanted)
        check_not_wider(self.identifier, wanted, blueprint)
        return wanted

    def _check_free(self, session: Session) -> None:
        """Raise ``Conflict`` at once for what cannot be a repeat, whatever the inputs are."""
        there = self._there(session)
        if there is not None and not self._may_repeat(session, there):
            raise self._conflict()

    def _repeated(self, session: Session, plan: dsl.DeploymentPlan) -> Made | None:
        there = self._there(session)
        if there is None:
            return None
        if not self._may_repeat(session, there) or there.inputs != plan.inputs:
            raise self._conflict()
        return Made(_key(there), shape(there))

    def _may_repeat(self, session: Session, there: Deployment) -> bool:
        age = session.scalar(select(func.now() - there.created_at))
        mine = there.creator_id == self.scope.caller.user_id and there.blueprint_id == self.new.blueprint_id
        return mine and age is not None and age <= REPEATED_WITHIN and _key(there) not in self.answered

    def _there(self, session: Session) -> Deployment | None:
        here = (Deployment.tenant_id == self.scope.tenant_id, Deployment.id == self.identifier)
        return session.scalar(select(Deployment).where(*here))

    def _conflict(self) -> Conflict:
        return Conflict(f"Deployment with ID `{self.identifier}` already exists")


def _key(deployment: Deployment) -> str:
    return f"deployment {deployment.pk}"


@deployment_creation.put("/deployments/{identifier}", status_code=201)
async def create_deployment(
    request: Request, identifier: str, new: NewDeployment, scope: WritingInTenant, storage: Database
) -> dict[str, Any]:
    """Make a deployment of a blueprint. Repeating a request whose answer was lost makes it once."""
    _check_id(identifier)
    answered: Answered = request.app.state.answered
    made = await _make(request, Creation(identifier, new, scope, storage, answered))
    if not await request.is_disconnected():
        answered.note(made.key)
    return made.answer


async def _make(request: Request, creation: Creation) -> Made:
    places: Places = request.app.state.upload_places
    for _ in range(TRIES):
        plan = await anyio.to_thread.run_sync(creation.plan, limiter=places.working)
        try:
            async with asynccontextmanager(write_slot)(request) as slot:
                return await anyio.to_thread.run_sync(creation.commit, plan, slot)
        except exc.IntegrityError as error:
            # The same deployment at the same moment, or ids of instances that chance gave out twice.
            if _constraint(error) not in {TAKEN, INSTANCE_TAKEN}:
                raise
    raise Unavailable("The deployment could not be made: others were quicker, again and again.")


def _constraint(error: exc.IntegrityError) -> str | None:
    diagnosis = getattr(error.orig, "diag", None)
    return getattr(diagnosis, "constraint_name", None)


def _check_id(identifier: str) -> None:
    if not NAME_PATTERN.fullmatch(identifier):
        raise BadParameters(
            f"`{identifier[:NAME_LENGTH]}` cannot be the ID of a deployment: "
            f"up to {NAME_LENGTH} letters, digits and `_.~-` are allowed"
        )
