"""The tables. They are made and changed by Alembic only (``migrations``)."""

from manager.models.base import NAME_LENGTH, Base
from manager.models.executions import (
    ACTIVE_STATUSES,
    END_STATUSES,
    EVENT_TYPE,
    LOG_TYPE,
    WAITING_STATUSES,
    Event,
    Execution,
    ExecutionToken,
    Operation,
    TasksGraph,
)
from manager.models.identity import (
    ADMIN_ROLE,
    DEFAULT_ROLE,
    DEFAULT_TENANT,
    DEFAULT_TENANT_ROLE,
    SYSTEM_ROLES,
    TENANT_ROLES,
    Membership,
    ProviderContext,
    Role,
    Tenant,
    Token,
    User,
)
from manager.models.owned import DEFAULT_VISIBILITY, VISIBILITIES, Owned
from manager.models.resources import Blueprint, Deployment, Node, NodeInstance
from manager.models.system import Agent, Maintenance, Snapshot

__all__ = [
    "ACTIVE_STATUSES",
    "ADMIN_ROLE",
    "DEFAULT_ROLE",
    "DEFAULT_TENANT",
    "DEFAULT_TENANT_ROLE",
    "DEFAULT_VISIBILITY",
    "END_STATUSES",
    "EVENT_TYPE",
    "LOG_TYPE",
    "NAME_LENGTH",
    "SYSTEM_ROLES",
    "TENANT_ROLES",
    "VISIBILITIES",
    "WAITING_STATUSES",
    "Agent",
    "Base",
    "Blueprint",
    "Deployment",
    "Event",
    "Execution",
    "ExecutionToken",
    "Maintenance",
    "Membership",
    "Node",
    "NodeInstance",
    "Operation",
    "Owned",
    "ProviderContext",
    "Role",
    "Snapshot",
    "TasksGraph",
    "Tenant",
    "Token",
    "User",
]
