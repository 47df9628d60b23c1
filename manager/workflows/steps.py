"""The steps in which an instance of a node is brought up and taken down, as users of Cloudify know them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

LIFECYCLE = "cloudify.interfaces.lifecycle"
VALIDATION = "cloudify.interfaces.validation"
RELATIONSHIP = "cloudify.interfaces.relationship_lifecycle"
MONITORING = "cloudify.interfaces.monitoring"
MONITORING_AGENT = "cloudify.interfaces.monitoring_agent"
AGENT = "cloudify.interfaces.cloudify_agent"
HOST = "cloudify.interfaces.host"

ESTABLISH, UNLINK = f"{RELATIONSHIP}.establish", f"{RELATIONSHIP}.unlink"


class Whose(Enum):
    """What a step's operation belongs to."""

    INSTANCE = auto()
    RELATIONSHIPS = auto()
    RELATIONSHIPS_REVERSED = auto()
    HOST = auto()
    AGENT = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One operation, what is told before and after it, and the states that the instance has meanwhile.

    ``done_in``: the states in which an instance has this behind it. ``until_true``: the operation is asked
    again until it returns something true, however often that is.
    """

    operation: str
    whose: Whose = Whose.INSTANCE
    before: str | None = None
    after: str | None = None
    entering: str | None = None
    leaving: str | None = None
    done_in: frozenset[str] = frozenset()
    until_true: bool = False


STARTED = frozenset({"started"})
CONFIGURED = STARTED | {"configured", "starting"}
CREATED = CONFIGURED | {"created", "configuring"}
CREATING = CREATED | {"creating"}

INSTALL = (
    Step(
        f"{VALIDATION}.create",
        before="Validating node instance before creation",
        after="Node instance validated before creation",
        done_in=CREATING,
    ),
    Step(
        f"{LIFECYCLE}.precreate",
        before="Precreating node instance",
        after="Node instance precreated",
        done_in=CREATING,
    ),
    Step(
        f"{LIFECYCLE}.create",
        before="Creating node instance",
        after="Node instance created",
        entering="creating",
        leaving="created",
        done_in=CREATED,
    ),
    Step(
        f"{RELATIONSHIP}.preconfigure",
        Whose.RELATIONSHIPS,
        before="Pre-configuring relationships",
        after="Relationships pre-configured",
        done_in=CONFIGURED,
    ),
    Step(
        f"{LIFECYCLE}.configure",
        before="Configuring node instance",
        after="Node instance configured",
        entering="configuring",
        leaving="configured",
        done_in=CONFIGURED,
    ),
    Step(
        f"{RELATIONSHIP}.postconfigure",
        Whose.RELATIONSHIPS,
        before="Post-configuring relationships",
        after="Relationships post-configured",
        done_in=STARTED,
    ),
    Step(f"{LIFECYCLE}.start", before="Starting node instance", entering="starting", done_in=STARTED),
    Step(f"{HOST}.get_state", Whose.HOST, until_true=True, done_in=STARTED),
    Step(f"{AGENT}.create", Whose.AGENT, before="Creating agent", after="Agent created", done_in=STARTED),
    Step(f"{AGENT}.configure", Whose.AGENT, done_in=STARTED),
    Step(f"{AGENT}.start", Whose.AGENT, before="Starting agent", after="Agent started", done_in=STARTED),
    Step(f"{MONITORING_AGENT}.install", Whose.HOST, done_in=STARTED),
    Step(f"{MONITORING_AGENT}.start", Whose.HOST, done_in=STARTED),
    Step(
        f"{LIFECYCLE}.poststart",
        before="Poststarting node instance",
        after="Node instance poststarted",
        done_in=STARTED,
    ),
    Step(f"{MONITORING}.start", done_in=STARTED),
    Step(
        ESTABLISH,
        Whose.RELATIONSHIPS,
        before="Establishing relationships",
        after="Relationships established",
        done_in=STARTED,
    ),
)

DELETED = frozenset({"deleted"})
DOWN = DELETED | {"uninitialized"}
STOPPED = DELETED | {"stopped", "deleting", "configured"}

STOP = (
    Step(
        f"{VALIDATION}.delete",
        before="Validating node instance before deletion",
        after="Node instance validated before deletion",
    ),
    Step(f"{MONITORING}.stop"),
    Step(
        f"{LIFECYCLE}.prestop",
        before="Prestopping node instance",
        after="Node instance prestopped",
    ),
    Step(f"{MONITORING_AGENT}.stop", Whose.HOST),
    Step(f"{MONITORING_AGENT}.uninstall", Whose.HOST),
    Step(f"{AGENT}.stop", Whose.AGENT, before="Stopping agent"),
    Step(f"{AGENT}.delete", Whose.AGENT, before="Deleting agent", after="Agent deleted"),
    Step(f"{LIFECYCLE}.stop", after="Stopped node instance"),
)
DELETE = (
    Step(
        UNLINK,
        Whose.RELATIONSHIPS_REVERSED,
        before="Unlinking relationships",
        after="Relationships unlinked",
    ),
    Step(f"{LIFECYCLE}.delete", before="Deleting node instance", entering="deleting"),
    Step(
        f"{LIFECYCLE}.postdelete",
        before="Postdeleting node instance",
        after="Node instance postdeleted",
    ),
)
