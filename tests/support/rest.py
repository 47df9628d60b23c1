"""A manager's REST service in front of a real PostgreSQL, and a client as the contract describes them."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests

from demo.shared_memory import IN_FILES
from manager.gateway import Gateway, settings_of
from manager.migrate import migrate
from manager.server import server
from orchestrator.clients.postgres import Postgres
from orchestrator.config import NodeConfig, Ports, PostgresSettings, RestSettings
from orchestrator.formation import pki
from orchestrator.paths import Paths
from tests.support.addresses import new_address
from tests.support.databases import begin_with_copy
from tests.support.direct_services import DirectServices
from tests.support.waiting import eventually

ADMIN = ("admin", "the admin's password")
TENANT = "default_tenant"
TIMEOUT_S = 60


def free_ports(host_ip: str, count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((host_ip, 0))
        return [probe.getsockname()[1] for probe in probes]


@dataclass
class RestClient:
    """Speaks to one manager as an existing client does."""

    base: str
    ca_file: Path | None = None
    user: tuple[str, str] | None = ADMIN
    tenant: str | None = TENANT
    headers: dict[str, str] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request below ``/api/v3.1``; ``path`` may also begin with ``/api``."""
        url = self.base + (path if path.startswith("/api/") else f"/api/v3.1{path}")
        headers = {"Content-type": "application/json", **self.headers}
        if self.user is not None:
            text = base64.urlsafe_b64encode(":".join(self.user).encode()).decode()
            headers["Authorization"] = f"Basic {text}"
        if self.tenant is not None:
            headers["Tenant"] = self.tenant
        headers.update(more.pop("headers", {}))
        headers = {name: value for name, value in headers.items() if value is not None}
        verify = str(self.ca_file) if self.ca_file else True
        return self.session.request(method, url, headers=headers, verify=verify, timeout=TIMEOUT_S, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.request("GET", path, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.request("PUT", path, json=body, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.request("POST", path, json=body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.request("PATCH", path, json=body, **more)

    def delete(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.request("DELETE", path, json=body, **more)

    def as_user(self, name: str | None, password: str = "", **more: Any) -> RestClient:
        """The same manager, asked by somebody else, on a connection of its own."""
        user = None if name is None else (name, password)
        return RestClient(self.base, self.ca_file, user, **{"tenant": self.tenant, **more})


class ManagerNode:
    """The folders, the database and the certificates of one manager that is alone."""

    def __init__(self, folder: Path, host_ip: str, stack: ExitStack, protocol: str = "https") -> None:
        postgres, rest = free_ports(host_ip, 2)
        self.stack = stack
        self.folder = folder
        self.config = NodeConfig(
            host_ip=host_ip,
            paths=Paths(etc=folder / "etc", state=folder / "state", run=folder / "run", log=folder / "log"),
            ports=Ports(postgres=postgres, rest=rest),
            postgres=PostgresSettings(
                os_user="postgres" if os.geteuid() == 0 else None,
                settings={"fsync": False, **IN_FILES},
                stop_timeout_s=5,
            ),
            rest=RestSettings(protocol=protocol, election_hold_s=0.5),
        )
        self.file = folder / "manager.toml"
        self.services = stack.enter_context(DirectServices(self.config))
        self.postgres = Postgres(self.config, self.services)

    def prepare(self) -> None:
        """Certificates and a migrated database that runs as a primary."""
        self.config.paths.run.mkdir(parents=True, exist_ok=True)
        pki.ensure_ca(self.config.paths.ssl)
        pki.issue(self.config, "n1")
        begin_with_copy(self.config)
        self.postgres.initialise()
        self.postgres.start(standby=False)
        migrate(settings_of(self.config).database, ADMIN[1])
        self.file.write_text(_toml(self.config))

    def client(self, **more: Any) -> RestClient:
        """A client of the REST service."""
        base = f"{self.config.rest.protocol}://{self.config.host_ip}:{self.config.ports.rest}"
        return RestClient(base, self.config.paths.ssl / "ca.pem", **more)

    def start_process(self) -> subprocess.Popen[bytes]:
        """The service as it is run on a node; it ends with the stack."""
        environment = {**os.environ, "CLOUDIFY_CONFIG": str(self.file)}
        process = subprocess.Popen([sys.executable, "-m", "manager"], env=environment)
        self.stack.callback(stop, process)
        eventually(lambda: _answers(self.client()), 30, "the REST service answers")
        return process

    @contextmanager
    def serving(self, gateway: Gateway, **changes: Any) -> Iterator[RestClient]:
        """The service within the test, with a gateway of the test's own."""
        (port,) = free_ports(self.config.host_ip, 1)
        settings = replace(settings_of(self.config), port=port, certificate=None, key=None, **changes)
        rest = server(settings, gateway)
        thread = threading.Thread(target=rest.run, daemon=True)
        thread.start()
        try:
            eventually(lambda: rest.started, 30, "the REST service has started")
            yield RestClient(f"http://{self.config.host_ip}:{port}")
        finally:
            rest.should_exit = True
            thread.join(15)
            assert not thread.is_alive(), "a REST service that was told to stop goes on"

    def start_in_thread(self, gateway: Gateway, **changes: Any) -> RestClient:
        """The same for as long as the node is there."""
        return self.stack.enter_context(self.serving(gateway, **changes))


@contextmanager
def manager_node(**more: Any) -> Iterator[ManagerNode]:
    """A prepared node at an address of its own; when it is over, nothing of it is left."""
    # Not pytest's folder: the database's OS user must reach its files, and sockets need short paths.
    folder = Path(tempfile.mkdtemp(prefix="rest"))
    folder.chmod(0o755)
    try:
        with ExitStack() as stack:
            node = ManagerNode(folder, new_address(), stack, **more)
            node.prepare()
            yield node
    finally:
        shutil.rmtree(folder)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, by force if it does not by itself."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answers(client: RestClient) -> bool:
    try:
        return client.get("/api/version").ok
    except requests.ConnectionError:
        return False


def _toml(config: NodeConfig) -> str:
    paths = "\n".join(f'{name} = "{getattr(config.paths, name)}"' for name in ("etc", "state", "run", "log"))
    user = f'os_user = "{config.postgres.os_user}"' if config.postgres.os_user else ""
    return (
        f'host_ip = "{config.host_ip}"\n[paths]\n{paths}\n'
        f"[ports]\nrest = {config.ports.rest}\npostgres = {config.ports.postgres}\n"
        f"[postgres]\n{user}\n"
        f'[rest]\nprotocol = "{config.rest.protocol}"\nelection_hold_s = {config.rest.election_hold_s}\n'
    )
