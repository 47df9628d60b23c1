"""A first database, made once by the product. Tests that are not about making one begin with a copy of it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from orchestrator.clients.postgres import Postgres
from orchestrator.config import NodeConfig, PostgresSettings
from orchestrator.paths import Paths
from tests.support.direct_services import DirectServices

TIMEOUT_S = 60
KEPT = ExitStack()
"""What whoever runs the tests has to close in the end."""


@cache
def _original(os_user: str | None) -> Path:
    home = Path(tempfile.mkdtemp(prefix="database"))
    KEPT.callback(_forget, home)
    # The server's OS user must be able to reach its files.
    home.chmod(0o755)
    paths = Paths(etc=home / "etc", state=home / "state", run=home / "run", log=home / "log")
    settings = PostgresSettings(os_user=os_user, settings={"fsync": False})
    config = NodeConfig(host_ip="127.0.0.1", paths=paths, postgres=settings)
    with DirectServices(config) as services:
        Postgres(config, services).initialise()
    return paths.postgres_data


def _forget(home: Path) -> None:
    _original.cache_clear()
    shutil.rmtree(home)


def begin_with_copy(config: NodeConfig) -> None:
    """Give a new node its database. All copies have one origin: PostgreSQL takes them for copies as well."""
    data = config.paths.postgres_data
    data.parent.mkdir(parents=True)
    original = _original(config.postgres.os_user)
    subprocess.run(["cp", "--archive", original, data], check=True, timeout=TIMEOUT_S)
