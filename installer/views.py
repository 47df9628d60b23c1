"""What Consul and PostgreSQL say of the cluster, for a bundle: ``python -m installer.views consul|postgres``.

Run as the node's own user, for the node that ``CLOUDIFY_CONFIG`` names. Prints JSON. What cannot be had is
in it with the reason, so that one question which is not answered costs no other.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import psycopg2
import psycopg2.extras

from orchestrator.clients.consul.http import Library
from orchestrator.config import NodeConfig, load
from orchestrator.model.errors import ClusterError

CONSUL_TIMEOUT_S = 3.0
POSTGRES_TIMEOUT_MS = 3000

CONSUL = {
    "leader": "/v1/status/leader",
    "peers": "/v1/status/peers",
    "members": "/v1/agent/members",
    "raft": "/v1/operator/raft/configuration",
    "autopilot": "/v1/operator/autopilot/health",
    "checks": "/v1/health/state/any",
    "sessions": "/v1/session/list",
    "keys": "/v1/kv/?recurse=true&stale=true",
}
POSTGRES = {
    "server": "SELECT version(), pg_is_in_recovery() AS standby, pg_postmaster_start_time() AS started",
    "position": (
        "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
        " AS at, pg_last_wal_receive_lsn() AS received"
    ),
    "replicas": "SELECT * FROM pg_stat_replication",
    "receiver": "SELECT status, sender_host, sender_port, slot_name, flushed_lsn, received_tli,"
    " last_msg_receipt_time, latest_end_lsn FROM pg_stat_wal_receiver",
    "slots": "SELECT * FROM pg_replication_slots",
    "terms": "SELECT * FROM cloudify_terms",
    "databases": "SELECT datname, pg_database_size(oid) AS bytes FROM pg_database",
    # Not what they ask: that may be anybody's secret.
    "connections": "SELECT datname, usename, application_name, state, wait_event, count(*),"
    " min(xact_start) AS oldest FROM pg_stat_activity GROUP BY 1, 2, 3, 4, 5",
    "settings": "SELECT name, setting, unit FROM pg_settings WHERE source <> 'default'",
}


def consul(config: NodeConfig) -> dict[str, Any]:
    """The servers, the checks and the keys, as this node's agent knows them, stale ones too."""
    http = Library(config, CONSUL_TIMEOUT_S).http

    def ask(path: str) -> Any:
        code, _, body = http.get(lambda answer: (answer.code, answer.headers, answer.body), path)
        return json.loads(body) if body else code

    return _all(CONSUL, lambda path: _readable(ask(path)))


def postgres(config: NodeConfig) -> dict[str, Any]:
    """Replication as the local server sees it."""
    with psycopg2.connect(
        host=str(config.paths.run),
        port=config.ports.postgres,
        user="postgres",
        dbname="postgres",
        connect_timeout=2,
        options=f"-c statement_timeout={POSTGRES_TIMEOUT_MS}",
        cursor_factory=psycopg2.extras.RealDictCursor,
    ) as connection:
        connection.autocommit = True

        def ask(sql: str) -> Any:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()

        return _all(POSTGRES, ask)


VIEWS: Mapping[str, Callable[[NodeConfig], dict[str, Any]]] = {"consul": consul, "postgres": postgres}


def _all(questions: Mapping[str, str], ask: Callable[[str], Any]) -> dict[str, Any]:
    failures: list[Exception] = []

    def answer(question: str) -> Any:
        try:
            return ask(question)
        except (ClusterError, psycopg2.Error, ValueError) as error:
            failures.append(error)
            return {"not available": str(error).strip()}

    answers = {name: answer(question) for name, question in questions.items()}
    if len(failures) == len(questions):
        raise failures[0]
    return answers


def _readable(found: Any) -> Any:
    """Keys with their values as text: Consul gives them in base64."""
    if isinstance(found, list):
        return [_readable(item) for item in found]
    if isinstance(found, dict) and isinstance(found.get("Value"), str):
        return {**found, "Value": base64.b64decode(found["Value"]).decode(errors="replace")}
    return found


def main(arguments: list[str]) -> int:
    """Print one view; what went wrong altogether is said on standard error."""
    try:
        seen = VIEWS[arguments[0]](load())
    except (ClusterError, psycopg2.Error, OSError) as error:
        sys.stderr.write(f"{str(error).strip()}\n")
        return 1
    sys.stdout.write(json.dumps(seen, indent=1, default=str) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
