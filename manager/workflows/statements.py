"""The statements by which the engine changes many rows at once. ``store`` says what they are for."""

from __future__ import annotations

from sqlalchemy import text

CLAIM = text("""
    UPDATE executions SET engine = :engine, term = :term,
        status = CASE status WHEN 'pending' THEN 'started' ELSE status END,
        started_at = coalesce(started_at, now())
    WHERE pk IN (
        SELECT pk FROM executions
        WHERE engine IS NULL AND NOT is_system_workflow
            AND status IN ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')
        ORDER BY pk LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING pk
""")

ADD_TASKS = text("""
    INSERT INTO operations (
        id, tasks_graph_pk, name, type, parameters, dependencies, state, retries, ended_at
    )
    SELECT v.id, :graph, v.name, v.type, v.parameters, v.dependencies, v.state, 0,
        CASE WHEN v.state IN ('succeeded', 'failed') THEN clock_timestamp() END
    FROM jsonb_to_recordset(CAST(:tasks AS jsonb))
        AS v (id text, name text, type text, parameters jsonb, dependencies jsonb, state text)
""")

UPDATE_TASKS = text("""
    UPDATE operations o SET state = v.state, retries = v.retries, result = v.result, error = v.error,
        ended_at = CASE WHEN v.state IN ('succeeded', 'failed') THEN clock_timestamp() END
    FROM jsonb_to_recordset(CAST(:tasks AS jsonb))
        AS v (id text, state text, retries int, result jsonb, error text)
    WHERE o.id = v.id
""")

MARK_SENT = text("UPDATE operations SET state = 'sent' WHERE id = ANY(:ids) AND state = 'sending'")

PROGRESS = text("""
    UPDATE executions e SET total_operations = v.total, finished_operations = v.finished
    FROM unnest(CAST(:pks AS bigint[]), CAST(:totals AS int[]), CAST(:finished AS int[]))
        AS v (pk, total, finished)
    WHERE e.pk = v.pk
""")

# For ``strays``. What is waited for until it is true is no success before (``graph`` has the same rule).
KEEP = text("""
    UPDATE operations o SET error = :error, result = CAST(:result AS jsonb), state = v.state,
        retries = retries + CASE WHEN v.state = 'rescheduled' AND :outcome <> 'not_started' THEN 1 ELSE 0 END,
        ended_at = CASE v.state WHEN 'rescheduled' THEN NULL ELSE clock_timestamp() END
    FROM (
        SELECT w.pk, CASE
            WHEN :outcome = 'succeeded' AND (
                w.parameters->'until_true' IS DISTINCT FROM 'true'::jsonb
                OR CAST(:result AS jsonb) NOT IN ('null', 'false', '0', '""', '[]', '{}')
            ) THEN 'succeeded'
            WHEN :outcome IN ('succeeded', 'retry', 'not_started') OR :recoverable THEN 'rescheduled'
            ELSE 'failed'
        END AS state
        FROM operations w WHERE w.id = :id
    ) v
    WHERE o.pk = v.pk AND o.retries = :attempt AND o.state IN ('sending', 'sent', 'started')
    RETURNING o.pk
""")

SET_STATES = text("""
    UPDATE node_instances i SET state = v.state, version = version + 1, updated_at = now(),
        runtime_properties = CASE v.state WHEN 'uninitialized' THEN '{}' ELSE i.runtime_properties END
    FROM unnest(CAST(:ids AS text[]), CAST(:states AS text[]), CAST(:tenants AS bigint[]))
        AS v (id, state, tenant)
    WHERE i.id = v.id AND i.tenant_id = v.tenant
""")
