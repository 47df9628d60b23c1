"""What the workflow engine needs: who works on an execution, and how what nobody works on is taken up."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# An engine holds the advisory lock of its name for as long as it lives and is connected (class 4; the classes
# are listed in ``manager.workflows.model``). What is active, was begun, and belongs to an engine without its
# lock is worked on by nobody: it is freed for the next engine, or fails at once. The orchestrator calls this
# on a new leader, before there is an engine, and every engine calls it when it starts.
TAKE_UP_EXECUTIONS = """
CREATE FUNCTION take_up_executions(my_term bigint, OUT resumed int, OUT failed int) LANGUAGE plpgsql AS $$
DECLARE
    found record;
    reason text;
    reported timestamptz;
BEGIN
    resumed := 0;
    failed := 0;
    FOR found IN
        SELECT e.pk, e.id, e.tenant_id, e.deployment_id, e.blueprint_id, e.workflow_id, e.status, e.resumable
        FROM executions e
        WHERE e.engine IS NOT NULL
            AND NOT e.is_system_workflow
            AND e.status IN ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')
            AND NOT EXISTS (
                SELECT FROM pg_locks l
                WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 4 AND l.objsubid = 2
                    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                    AND l.objid = (hashtext(e.engine) & 2147483647)::oid
            )
        ORDER BY e.pk
        FOR UPDATE OF e
    LOOP
        IF found.status <> 'started' OR found.resumable IS DISTINCT FROM false THEN
            UPDATE executions
            SET engine = NULL, term = my_term, resume = resume OR found.resumable IS NOT NULL
            WHERE pk = found.pk;
            resumed := resumed + 1;
            CONTINUE;
        END IF;
        reason := 'Cannot resume - workflow not resumable: ' || found.workflow_id;
        UPDATE executions
        SET engine = NULL, term = my_term, status = 'failed', error = reason, ended_at = now()
        WHERE pk = found.pk;
        PERFORM pg_advisory_xact_lock(1, (found.pk % 2147483647)::int);
        SELECT greatest(clock_timestamp(), max(v.reported_timestamp)) INTO reported
        FROM events v WHERE v.execution_id = found.id;
        INSERT INTO events (
            type, tenant_id, execution_pk, execution_id, deployment_id, blueprint_id, workflow_id,
            message, event_type, error_causes, timestamp, reported_timestamp
        ) VALUES (
            'cloudify_event', found.tenant_id, found.pk, found.id, found.deployment_id, found.blueprint_id,
            found.workflow_id,
            quote_literal(found.workflow_id) || ' workflow execution failed: ' || reason, 'workflow_failed',
            jsonb_build_array(jsonb_build_object('message', reason, 'type', 'Error', 'traceback', '')),
            clock_timestamp(), reported
        );
        failed := failed + 1;
    END LOOP;
    IF resumed + failed > 0 THEN
        NOTIFY executions;
    END IF;
END
$$
"""


def upgrade() -> None:
    """Add the columns and the function."""
    op.add_column("executions", sa.Column("engine", sa.String(64), nullable=True))
    op.create_index("ix_executions_engine", "executions", ["engine"])
    op.add_column("executions", sa.Column("timeout_s", sa.Float(), nullable=True))
    op.add_column("operations", sa.Column("resumable", sa.Boolean(), nullable=True))
    op.add_column(
        "tasks_graphs", sa.Column("state", sa.String(32), nullable=False, server_default="building")
    )
    op.execute(TAKE_UP_EXECUTIONS)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP FUNCTION take_up_executions(bigint)")
    op.drop_column("tasks_graphs", "state")
    op.drop_column("operations", "resumable")
    op.drop_column("executions", "timeout_s")
    op.drop_index("ix_executions_engine", "executions")
    op.drop_column("executions", "engine")
