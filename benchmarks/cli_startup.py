"""How long the command lines take to start: each command several times, in a process of its own.

Run it with ``python -m benchmarks.cli_startup``. The commands that ask a manager ask one
that answers at once.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cli.profile import Profile
from cli.profile_store import ProfileStore

OUT = Path(__file__).parent / "out" / "cli_startup.json"
ADDRESS = "127.94.251.1"
REPETITIONS = 11
LIMIT_S = 0.3

COMMANDS = {
    "cfy --help": ("cli.cfy", "--help"),
    "cfy cluster --help": ("cli.cfy", "cluster", "--help"),
    "cfy cluster nodes list": ("cli.cfy", "cluster", "nodes", "list"),
    "cfy status": ("cli.cfy", "status"),
    "cfy_manager --help": ("cli.cfy_manager", "--help"),
}

NODE = {
    "name": "n1",
    "host_ip": ADDRESS,
    "online": True,
    "master": True,
    "checks": {"database": True, "services": True, "consul": True, "heartbeat": True},
}
ANSWERS = {
    "/cluster": {"initialized": True},
    "/cluster/nodes": {"items": [NODE], "metadata": {"pagination": {"total": 1, "offset": 0, "size": 1000}}},
    "/status": {"status": "running", "services": []},
    "/maintenance": {"status": "deactivated"},
}


class Manager(BaseHTTPRequestHandler):
    """A manager that answers at once."""

    def do_GET(self) -> None:
        """Answer from the table."""
        where = self.path.partition("?")[0].removeprefix("/api/v3.1")
        content = json.dumps(ANSWERS[where]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- The base class's name.
        """Keep quiet."""


def measure(command: tuple[str, ...], environment: dict[str, str]) -> dict[str, float]:
    """Median and extremes, in seconds."""
    took_s = []
    for _ in range(REPETITIONS):
        started_s = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", *command], env=environment, check=True, capture_output=True, timeout=60
        )
        took_s.append(time.perf_counter() - started_s)
    return {"min": min(took_s), "median": statistics.median(took_s), "max": max(took_s)}


def main() -> None:
    """Measure all commands and print the figures."""
    server = ThreadingHTTPServer((ADDRESS, 0), Manager)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as home:
        store = ProfileStore(Path(home))
        store.save(Profile("bench", ADDRESS, server.server_address[1], "http", password="none"))  # noqa: S106 -- Nobody asks for it.
        store.use("bench")
        environment = {**os.environ, "CFY_HOME": home}
        figures = {name: measure(command, environment) for name, command in COMMANDS.items()}
    server.shutdown()
    for name, figure in figures.items():
        print(f"{name:<24} {figure['median']:.3f} s  ({figure['min']:.3f} to {figure['max']:.3f})")
    print(f"aim: below {LIMIT_S} s; {REPETITIONS} runs each; load {os.getloadavg()[0]:.1f}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
