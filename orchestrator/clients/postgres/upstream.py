"""Where a standby streams from, and how it gets in there."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.extensions import make_dsn

from orchestrator.config import NodeConfig

REPLICATOR = "replicator"


@dataclass(frozen=True, slots=True)
class Upstream:
    """The member to stream from: its name in the cluster, its address and its PostgreSQL port.

    ``incarnation``: that of its data, as it was announced. Of data of any other one nothing is taken.
    """

    name: str
    host_ip: str
    port: int
    incarnation: str = ""


def conninfo(config: NodeConfig, upstream: Upstream, **more: str) -> str:
    """How the replicator of this node connects to ``upstream``: TLS with both certificates verified."""
    folder = config.paths.ssl / "postgres"
    return make_dsn(
        host=upstream.host_ip,
        port=upstream.port,
        user=REPLICATOR,
        sslmode="verify-full",
        sslrootcert=str(folder / "ca.pem"),
        sslcert=str(folder / "node.pem"),
        sslkey=str(folder / "node.key"),
        gssencmode="disable",
        connect_timeout=max(2, round(config.postgres.connect_timeout_s)),
        keepalives_idle=2,
        keepalives_interval=1,
        keepalives_count=3,
        tcp_user_timeout=5000,
        **more,
    )
