"""What is missing on a machine is said at once, before anything is changed."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from installer import checks
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConfigurationError, ConsulUnavailable

LOOPBACK = "127.0.0.1"


def said(config=None, **known):
    return "\n".join(checks.complaints(config or NodeConfig(), **{"installed": True, **known}))


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine with nothing on it, and nobody who might change that."""

    def missing(*_):
        raise ConfigurationError("not installed")

    def no_consul():
        raise ConsulUnavailable("not installed")

    monkeypatch.setattr(checks, "executable", missing)
    monkeypatch.setattr(checks, "postgres_bin_dir", missing)
    monkeypatch.setattr(checks, "installed_version", no_consul)
    monkeypatch.setattr(checks, "BOOTED_BY_SYSTEMD", tmp_path / "none")
    monkeypatch.setattr(checks.os, "geteuid", lambda: 1000)


def test_all_that_a_bare_machine_lacks(bare):
    text = said()
    for complaint in ("takes root", "booted by systemd", "apt install", "PostgreSQL 15", "Consul 1.8"):
        assert complaint in text
    assert "openssh-client openssh-server passwd redis-server rsync sudo" in text


def test_an_old_consul_is_refused_with_both_versions(monkeypatch):
    monkeypatch.setattr(checks, "installed_version", lambda: (1, 6, 4))
    assert "Consul is too old: 1.6.4; 1.8 or newer is needed." in said()


def test_an_address_of_another_machine(monkeypatch):
    assert "host_ip: 192.0.2.1 is no address of this machine." in said(NodeConfig(host_ip="192.0.2.1"))


def test_a_port_that_somebody_else_uses_matters_before_the_manager_is_there():
    with closing(socket.socket()) as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = NodeConfig(host_ip=LOOPBACK, ports={"rest": port})
        assert f"{port} (rest)" in said(config, installed=False)
        assert f"{port} (rest)" not in said(config, installed=True)


def test_a_program_in_somebodys_home_is_no_place_for_what_runs_as_a_service(monkeypatch, tmp_path):
    program = tmp_path / "venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.touch()
    tmp_path.chmod(0o700)
    monkeypatch.setattr(checks.sys, "executable", str(program))
    assert "Install it into a virtual environment in /opt/cloudify." in said()


def test_a_disk_that_is_nearly_full(monkeypatch):
    monkeypatch.setattr(
        checks.shutil, "disk_usage", lambda _: checks.shutil._ntuple_diskusage(9, 8, 20 << 20)
    )
    assert "/var/lib/cloudify: 20 MiB are free there, and 1024 are needed" in said(installed=False)
    assert "are free there" not in said(installed=True)
