"""Blueprints, deployments, executions and their like; and the list of the files that rows refer to."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT, NAME, WORD, WHOLE, LONG = sa.String(), sa.String(256), sa.String(32), sa.Integer(), sa.BigInteger()
TIME, TRUTH = sa.DateTime(timezone=True), sa.Boolean()
NOW = "now()"
TABLES = (
    *("blueprints", "deployments", "nodes", "node_instances", "executions", "events", "tasks_graphs"),
    *("operations", "agents", "snapshots", "maintenance"),
)

# One folder for each row that has files; relative to the folder that is mirrored (``manager.files.units``).
REPLICATED_FILES = """
    CREATE VIEW replicated_files AS
    SELECT 'blueprints/' || t.name || '/' || b.id || '/' || b.storage_id AS path
    FROM blueprints b JOIN tenants t ON t.id = b.tenant_id
    UNION ALL
    SELECT 'snapshots/' || t.name || '/' || s.id || '/' || s.storage_id
    FROM snapshots s JOIN tenants t ON t.id = s.tenant_id WHERE s.storage_id IS NOT NULL
"""


def upgrade() -> None:
    """Make the tables and the view."""
    _create_blueprints()
    _create_deployments()
    _create_nodes()
    _create_executions()
    _create_events()
    _create_tasks()
    _create_system()
    op.execute(REPLICATED_FILES)


def downgrade() -> None:
    """Drop it all."""
    op.execute("DROP VIEW replicated_files")
    for table in reversed(TABLES):
        op.drop_table(table)


def _column(name: str, kind: Any, default: str | None = None) -> sa.Column[Any]:
    given = sa.text(default) if default is not None else None
    return sa.Column(name, kind, nullable=False, server_default=given)


def _maybe(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _key() -> sa.Column[Any]:
    return sa.Column("pk", LONG, primary_key=True)


def _reference(name: str, target: str, on_delete: str | None = None, **more: Any) -> sa.Column[Any]:
    kind = LONG if target.endswith(".pk") else WHOLE
    return sa.Column(
        name, kind, sa.ForeignKey(target, ondelete=on_delete), **{"nullable": False, "index": True, **more}
    )


def _tenant() -> sa.Column[Any]:
    return _reference("tenant_id", "tenants.id", index=False)


def _owned() -> list[Any]:
    return [
        _key(),
        _column("id", NAME),
        _column("visibility", sa.String(16), "'tenant'"),
        _tenant(),
        _reference("creator_id", "users.id", "SET NULL", nullable=True),
        _column("created_at", TIME, NOW),
        sa.UniqueConstraint("tenant_id", "id"),
    ]


def _create_blueprints() -> None:
    op.create_table(
        "blueprints",
        *_owned(),
        sa.Column("storage_id", WORD, nullable=False, unique=True),
        _column("archive_sha256", sa.String(64)),
        _column("archive_name", TEXT),
        _column("archive_bytes", LONG),
        _column("main_file_name", TEXT),
        _maybe("description", TEXT),
        _column("plan", JSONB),
        _maybe("updated_at", TIME),
    )


def _create_deployments() -> None:
    parts = ("inputs", "outputs", "capabilities", "workflows", "groups", "scaling_groups")
    op.create_table(
        "deployments",
        *_owned(),
        _reference("blueprint_pk", "blueprints.pk"),
        _maybe("description", TEXT),
        *(_column(name, JSONB) for name in (*parts, "policy_types", "policy_triggers", "labels")),
        _maybe("site_name", TEXT),
        _maybe("updated_at", TIME),
    )


def _create_nodes() -> None:
    documents = ("type_hierarchy", "properties", "operations", "relationships", "plugins")
    numbers = ("number", "planned_number", "deploy_number", "min_number", "max_number")
    op.create_table(
        "nodes",
        _key(),
        _column("id", NAME),
        _reference("deployment_pk", "deployments.pk", "CASCADE", index=False),
        _column("type", TEXT),
        *(_column(name, JSONB) for name in (*documents, "plugins_to_install")),
        _maybe("host_id", TEXT),
        *(_column(f"{name}_of_instances", WHOLE) for name in numbers),
        sa.UniqueConstraint("deployment_pk", "id"),
    )
    values = ("runtime_properties", "system_properties", "relationships", "scaling_groups")
    op.create_table(
        "node_instances",
        _key(),
        _column("id", NAME),
        _tenant(),
        _reference("node_pk", "nodes.pk", "CASCADE"),
        _column("index", WHOLE),
        _column("state", TEXT, "'uninitialized'"),
        *(_column(name, JSONB) for name in values),
        _maybe("host_id", TEXT),
        _column("version", WHOLE, "1"),
        _column("created_at", TIME, NOW),
        _maybe("updated_at", TIME),
        sa.UniqueConstraint("tenant_id", "id"),
    )


def _create_executions() -> None:
    flags = ("is_system_workflow", "is_dry_run", "allow_custom_parameters", "force", "queue", "resume")
    op.create_table(
        "executions",
        *_owned(),
        _reference("deployment_pk", "deployments.pk", "CASCADE", nullable=True),
        sa.Column("deployment_id", NAME, index=True),
        _maybe("blueprint_id", NAME),
        _column("workflow_id", NAME),
        sa.Column("status", WORD, nullable=False, index=True),
        _column("parameters", JSONB),
        _maybe("error", TEXT),
        *(_column(name, TRUTH, "false") for name in flags),
        _column("wait_after_fail", WHOLE, "0"),
        _maybe("resumable", TRUTH),
        *(_maybe(name, WHOLE) for name in ("term", "total_operations", "finished_operations")),
        *(_maybe(name, TIME) for name in ("scheduled_for", "started_at", "ended_at")),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        _key(),
        _column("type", sa.String(16)),
        _tenant(),
        _reference("execution_pk", "executions.pk", "CASCADE", nullable=True),
        *(_maybe(f"{name}_id", NAME) for name in ("execution", "deployment", "blueprint", "workflow")),
        _maybe("node_name", TEXT),
        *(_maybe(f"{name}_id", NAME) for name in ("node_instance", "source", "target")),
        _maybe("operation", TEXT),
        _column("message", TEXT),
        _maybe("event_type", TEXT),
        _maybe("error_causes", JSONB),
        _maybe("level", sa.String(16)),
        _maybe("logger", TEXT),
        _column("timestamp", TIME),
        _column("reported_timestamp", TIME, "clock_timestamp()"),
    )
    for name in ("execution", "deployment", "tenant"):
        op.create_index(f"events_of_{name}", "events", [f"{name}_id", "reported_timestamp", "pk"])


def _create_tasks() -> None:
    op.create_table(
        "tasks_graphs",
        _key(),
        sa.Column("id", NAME, nullable=False, unique=True),
        _reference("execution_pk", "executions.pk", "CASCADE", index=False),
        _column("name", NAME),
        _column("created_at", TIME, NOW),
        sa.UniqueConstraint("execution_pk", "name"),
    )
    op.create_table(
        "operations",
        _key(),
        sa.Column("id", NAME, nullable=False, unique=True),
        _reference("tasks_graph_pk", "tasks_graphs.pk", "CASCADE"),
        _column("name", TEXT),
        _column("state", WORD),
        _column("type", TEXT),
        *(_column(name, JSONB) for name in ("parameters", "dependencies")),
        _maybe("result", JSONB),
        _maybe("error", TEXT),
        _column("retries", WHOLE, "0"),
        *(_maybe(name, TEXT) for name in ("agent_name", "manager_name")),
        _column("created_at", TIME, NOW),
        *(_maybe(name, TIME) for name in ("started_at", "ended_at")),
    )


def _create_system() -> None:
    op.create_table(
        "agents",
        _key(),
        sa.Column("name", NAME, nullable=False, unique=True),
        _reference("node_instance_pk", "node_instances.pk", "CASCADE"),
        *(_maybe(name, TEXT) for name in ("ip", "install_method", "system", "version")),
        _column("state", WORD),
        _column("created_at", TIME, NOW),
        _maybe("updated_at", TIME),
    )
    op.create_table(
        "snapshots",
        *_owned(),
        _column("status", WORD),
        _maybe("error", TEXT),
        sa.Column("storage_id", WORD, unique=True),
        _maybe("archive_sha256", sa.String(64)),
        _maybe("archive_bytes", LONG),
    )
    op.create_table(
        "maintenance",
        sa.Column("id", WHOLE, primary_key=True, autoincrement=False),
        _column("status", WORD),
        _column("activation_requested_at", TIME, NOW),
        _maybe("activated_at", TIME),
        _column("requested_by", NAME),
        sa.CheckConstraint("id = 1", name="maintenance_is_one"),
    )
