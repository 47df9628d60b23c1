"""A leader whose disk hangs is given up by its guard; its members see it at once."""

from __future__ import annotations

import contextlib
import os
import socket

import pytest

from orchestrator.clients import clock, disk
from orchestrator.clients.disk import DiskProbe
from orchestrator.clients.services import MemoryServices
from orchestrator.config import NodeConfig, Ports, Timing
from orchestrator.guard import Guard
from orchestrator.paths import Paths
from orchestrator.record import lease_file
from orchestrator.record.lease_file import LeaseState
from tests.support.rest import free_ports
from tests.support.waiting import eventually

HOST_IP = "127.0.0.1"
LONG_S, SHORT_S, NEVER_S = 5.0, 4.9, 0.0


class Disk(DiskProbe):
    """A disk that hangs for as long as a test says."""

    told_s = NEVER_S

    def hanging_s(self):
        return self.told_s


class House:
    """A guard on the loopback address, with a lease file, a disk and services to be watched."""

    def __init__(self, folder):
        paths = Paths(etc=folder, state=folder, run=folder, log=folder)
        [port] = free_ports(HOST_IP, 1)
        self.config = NodeConfig(
            host_ip=HOST_IP, paths=paths, ports=Ports(guard=port), timing=Timing(disk_timeout_s=LONG_S)
        )
        self.services = MemoryServices({"consul"}, {"consul"})
        self.disk = Disk(paths.disk_probe)
        self.guard = Guard(self.config, self.services, self.disk)
        self.leads()

    def leads(self, *, member=True):
        state = LeaseState(member=member, term=3, held=True, serving=True, valid_until_s=clock.now_s() + 60)
        lease_file.write(self.config.paths.lease_file, state)

    def connect(self):
        return socket.create_connection((HOST_IP, self.config.ports.guard), 5)

    def may_lead(self):
        return lease_file.read(self.config.paths.lease_file).leads(clock.now_s())


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    house.guard._hang_up()


def test_members_see_that_the_leader_is_gone_and_nobody_serves_in_its_name(house):
    with house.connect() as member:
        house.guard._answer(1.0)
        house.disk.told_s = LONG_S
        house.guard.look()
        with contextlib.suppress(ConnectionResetError):
            assert member.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        house.connect()
    assert not house.may_lead()
    assert house.services.calls == [("kill", "consul")]


def test_consul_is_killed_once_but_a_loop_that_still_runs_gets_no_lease_back(house):
    house.disk.told_s = LONG_S
    house.guard.look()
    house.leads()
    house.guard.look()
    assert not house.may_lead()
    assert house.services.calls == [("kill", "consul")]


def test_when_the_disk_goes_on_the_guard_listens_again(house):
    house.disk.told_s = LONG_S
    house.guard.look()
    house.disk.told_s = NEVER_S
    house.guard.look()
    house.connect().close()


@pytest.mark.parametrize(("member", "hanging_s"), [(True, SHORT_S), (False, LONG_S)])
def test_a_disk_that_is_slow_and_a_manager_alone_are_left_in_peace(house, member, hanging_s):
    house.leads(member=member)
    house.disk.told_s = hanging_s
    house.guard.look()
    house.connect().close()
    assert not house.services.calls


@pytest.fixture
def now(monkeypatch):
    class Now:
        s = 100.0

    monkeypatch.setattr(disk, "now_s", lambda: Now.s)
    return Now


@pytest.fixture
def hanging(tmp_path):
    """A probe whose write hangs: nobody reads what it writes to."""
    path = tmp_path / "disk-probe"
    os.mkfifo(path)
    probe = DiskProbe(path, interval_s=60)
    probe.start()
    eventually(lambda: probe._begun == 1)
    yield probe
    with path.open("rb"):
        eventually(lambda: probe._ended == 1)


def test_a_write_that_does_not_come_back_hangs_for_as_long_as_it_is_looked_at(hanging, now):
    assert hanging.hanging_s() == 0
    now.s += 1.5
    assert hanging.hanging_s() == 1.5
    now.s += 1.0
    assert hanging.hanging_s() == 2.5


def test_a_machine_that_was_suspended_does_not_blame_its_disk(hanging, now):
    hanging.hanging_s()
    now.s += 3600
    assert hanging.hanging_s() < LONG_S


def test_a_write_that_has_come_back_is_forgotten(tmp_path):
    probe = DiskProbe(tmp_path / "disk-probe", interval_s=60)
    probe.start()
    eventually(lambda: probe._ended == 1)
    assert probe.hanging_s() == 0
    assert (tmp_path / "disk-probe").stat().st_mode & 0o777 == 0o600


def test_a_disk_that_refuses_does_not_hang(tmp_path):
    probe = DiskProbe(tmp_path / "missing" / "disk-probe", interval_s=60)
    probe.start()
    eventually(lambda: probe._ended == 1)
    assert probe.hanging_s() == 0
