"""One node stops another node's database over a real SSH daemon, and can do nothing else there."""

from __future__ import annotations

import signal
import socket
import time
from dataclasses import replace

import paramiko
import pytest

from orchestrator.clients import ssh_files
from orchestrator.clients.peers import Peers
from orchestrator.record import lease_file
from orchestrator.record.lease_file import LeaseState
from tests.support.addresses import network
from tests.support.sshd import SshNode, node_config
from tests.support.waiting import eventually

TERM = 7
TIMEOUT_S = 10.0


@pytest.fixture
def old(short_path):
    config = node_config(short_path / "old", f"{network(92)}.1")
    with SshNode("old", config) as node:
        yield node


@pytest.fixture
def new(short_path, old):
    # All members share one port. The connect timeout is patient, for the sake of busy machines.
    config = node_config(short_path / "new", f"{network(92)}.2", fence_connect_timeout_s=5.0)
    config = config.model_copy(update={"ports": old.config.ports})
    with SshNode("new", config) as node:
        ssh_files.authorise(old.config, [node.member])
        yield node


@pytest.fixture
def peers(new):
    return Peers(new.config, "new")


def test_the_new_leader_stops_the_old_leaders_database(old, peers):
    old.start_daemon()
    database = old.start_database()
    lease_file.write(old.config.paths.lease_file, LeaseState(member=True, term=TERM - 1, held=True))
    # On a busy machine the database may take longer to end than the first answer waits for it.
    eventually(lambda: peers.fence(old.member, TERM, TIMEOUT_S), TIMEOUT_S, "it is fenced")
    assert database.wait(5) == -signal.SIGQUIT


def test_a_database_that_does_not_run_is_fenced(old, peers):
    old.start_daemon()
    assert peers.fence(old.member, TERM, TIMEOUT_S)


def test_a_standby_is_harmless_and_left_alone(old, peers):
    old.start_daemon()
    database = old.start_database()
    (old.config.paths.postgres_data / "standby.signal").touch()
    assert peers.fence(old.member, TERM, TIMEOUT_S)
    assert database.poll() is None


@pytest.mark.parametrize(
    "leads", [{"held": True}, {"serving": True}], ids=["it holds the lease", "its members confirm it"]
)
def test_a_node_that_leads_in_a_newer_term_ignores_the_request(old, peers, leads):
    old.start_daemon()
    database = old.start_database()
    lease_file.write(old.config.paths.lease_file, LeaseState(member=True, term=TERM + 1, **leads))
    assert not peers.fence(old.member, TERM, TIMEOUT_S)
    assert database.poll() is None


def test_a_process_that_has_the_databases_number_by_now_is_left_alone(old, peers, tmp_path):
    old.start_daemon()
    stranger = old.start_database(folder=tmp_path)
    assert peers.fence(old.member, TERM, TIMEOUT_S)
    assert stranger.poll() is None


def test_another_host_key_is_refused(old, new, peers):
    old.start_daemon()
    database = old.start_database()
    impostor = replace(old.member, ssh_host_key=new.member.ssh_host_key)
    assert not peers.fence(impostor, TERM, TIMEOUT_S)
    assert not peers.fence(replace(old.member, ssh_host_key=""), TERM, TIMEOUT_S)
    assert database.poll() is None


def test_a_node_that_is_no_member_any_more_may_not_fence(old, peers):
    old.start_daemon()
    database = old.start_database()
    assert ssh_files.authorise(old.config, [])
    assert not peers.fence(old.member, TERM, TIMEOUT_S)
    assert database.poll() is None


def test_authorising_the_same_members_again_changes_nothing(old, new):
    assert not ssh_files.authorise(old.config, [new.member])


def test_a_machine_that_is_down_is_given_up_at_once(old, peers):
    started_s = time.monotonic()
    assert not peers.fence(old.member, TERM, TIMEOUT_S)
    assert time.monotonic() - started_s < TIMEOUT_S / 2


def test_a_machine_that_accepts_and_says_nothing_is_given_up_in_time(old, peers):
    with socket.create_server((old.config.host_ip, old.config.ports.ssh)):
        started_s = time.monotonic()
        assert not peers.fence(old.member, TERM, 0.5)
        assert time.monotonic() - started_s < TIMEOUT_S / 2


@pytest.mark.parametrize("request_", ["fence", "fence -1", "fence 1; id", "id", "", "fence ¹", "fence 1 2"])
def test_the_key_may_do_nothing_but_fence(old, new, request_):
    old.start_daemon()
    database = old.start_database()
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507  Identity is another test's matter.
    key = str(new.config.paths.ssh / ssh_files.CLIENT_KEY)
    with client:
        client.connect(
            old.config.host_ip, old.config.ports.ssh, key_filename=key, allow_agent=False, look_for_keys=False
        )
        _, answer, _ = client.exec_command(request_, timeout=TIMEOUT_S)
        assert answer.read().decode().strip() == "refused"
        with pytest.raises(paramiko.SSHException):
            client.get_transport().open_channel(
                "direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 0), timeout=TIMEOUT_S
            )
    assert database.poll() is None


def test_the_daemon_ends_when_it_is_asked_to(old):
    daemon = old.start_daemon()
    daemon.terminate()
    eventually(lambda: daemon.poll() is not None, 30, "sshd has ended")
