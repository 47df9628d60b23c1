"""Files are served by whoever the node runs as: by root, and by a user who may set no groups."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from pathlib import Path

import pytest

from orchestrator.clients import ssh_files
from orchestrator.clients.programs import executable
from orchestrator.config import NodeConfig
from orchestrator.paths import Paths


@pytest.fixture
def folder():
    """A folder that everybody may read and write; pytest's own ones are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture(params=["root", "nobody"])
def somebody(request, monkeypatch):
    """Who serves and fetches; root can be anybody, and anybody else only himself."""
    user = pwd.getpwnam(request.param)
    if os.geteuid() != 0:
        user = pwd.getpwuid(os.geteuid())
    monkeypatch.setattr(os, "geteuid", lambda: user.pw_uid)
    monkeypatch.setattr(os, "getegid", lambda: user.pw_gid)
    return user


def test_it_serves(folder, somebody):
    (folder / "files").mkdir()
    (folder / "files" / "unit").write_text("of a blueprint")
    config = folder / "rsyncd.conf"
    config.write_text(ssh_files.rsync_config(NodeConfig(paths=Paths(state=folder))))
    rsync = executable("rsync")
    daemon = f"sh -c 'exec {rsync} --server --daemon --config={config} .'"
    command = [rsync, "-r", f"--rsh={daemon}", f"here::{ssh_files.MODULE}/", str(folder / "copy")]
    as_somebody = (
        {} if os.getuid() else {"user": somebody.pw_uid, "group": somebody.pw_gid, "extra_groups": []}
    )
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, **as_somebody)
    assert done.returncode == 0, done.stderr
    assert (folder / "copy" / "unit").read_text() == "of a blueprint"
