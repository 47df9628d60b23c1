"""Two members with their own SSH daemons and trees of files; ``new`` may read those of ``old``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.clients import ssh_files
from orchestrator.clients.mirror import Mirror
from tests.support.addresses import network
from tests.support.sshd import SshNode, node_config

NETWORK = network(94)


class FileNode(SshNode):
    """A member's machine, with its replicated files."""

    def __init__(self, name, config):
        super().__init__(name, config)
        self.files = config.paths.files
        self.files.mkdir(parents=True, exist_ok=True)
        self.host = config.host_ip
        config.paths.run.mkdir(parents=True, exist_ok=True)
        self.mirror = Mirror(config)

    def __exit__(self, *_):
        for socket in self.config.paths.run.glob("ssh-*"):
            # A connection is kept for some seconds, to be used again.
            subprocess.run(["ssh", "-S", str(socket), "-O", "exit", "old"], check=False, capture_output=True)
        super().__exit__()

    def put(self, unit: str, **contents: str) -> Path:
        """Have a unit, as an upload leaves it."""
        folder = self.files / unit
        folder.mkdir(parents=True)
        for name, text in (contents or {"blueprint.yaml": f"of {unit}"}).items():
            (folder / name).write_text(text)
        return folder


def unit(number: int, name: str = "hello", kind: str = "blueprints") -> str:
    """The path of a unit."""
    return f"{kind}/default_tenant/{name}/{number:032x}"


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    """All files below a folder, with their permissions and texts."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode & 0o7777, path.read_text())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def old(short_path):
    with FileNode("old", node_config(short_path / "old", f"{NETWORK}.1")) as node:
        node.start_daemon()
        yield node


@pytest.fixture
def new(short_path, old):
    config = node_config(short_path / "new", f"{NETWORK}.2").model_copy(update={"ports": old.config.ports})
    with FileNode("new", config) as node:
        ssh_files.authorise(old.config, [node.member])
        yield node
