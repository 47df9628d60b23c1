"""A real HAProxy beside the hosts, with the configuration that the product writes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from demo.cluster import Cluster
from demo.rest import Access
from orchestrator.model.errors import ClusterError
from tests.cluster.commands import run

HAPROXY = "/usr/sbin/haproxy"
LOOPBACK, PORT = "127.0.0.1", 9443
END_S = 30


@contextmanager
def balanced(cluster: Cluster, folder: Path) -> Iterator[Access]:
    """Where clients find the balancer, who know nothing of the cluster behind it."""
    process = subprocess.Popen(
        [HAPROXY, "-db", "-q", "-f", str(_configured(cluster, folder))], stdin=subprocess.DEVNULL
    )
    try:
        yield replace(cluster.access, addresses=(LOOPBACK,), port=PORT)
    finally:
        process.terminate()
        process.wait(END_S)


def _configured(cluster: Cluster, folder: Path) -> Path:
    node = cluster.leader()
    ssl = node.config.paths.ssl
    front, config = folder / "front.pem", folder / "haproxy.cfg"
    # A node's certificate is valid for its loopback address as well: here it is the balancer's own.
    front.write_text((ssl / "node.pem").read_text() + (ssl / "node.key").read_text())
    config.unlink(missing_ok=True)
    written = run(
        "cli.cfy_manager",
        (
            "haproxy",
            *("--username", cluster.access.username, "--password", cluster.password),
            *("--bind", f"{LOOPBACK}:{PORT}", "-o", str(config)),
            *("--front-certificate", str(front), "--ca-file", str(ssl / "ca.pem")),
        ),
        {"CLOUDIFY_CONFIG": str(node.config_file)},
    )
    if written.exit_code != 0:
        raise ClusterError(f"no configuration for the balancer: {written.text}")
    return config
