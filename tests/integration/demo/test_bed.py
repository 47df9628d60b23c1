"""A bed with one real manager: what the demo, the cluster tests and the benchmarks rely on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from demo import places
from demo.bed import Bed
from demo.cluster import Cluster
from tests.support.waiting import eventually

SERVE_TIMEOUT_S = 60


@pytest.fixture(scope="module")
def cluster():
    # The system's folder for temporary files, and not pytest's own: that one is closed to PostgreSQL's user.
    with tempfile.TemporaryDirectory(prefix="bed-") as folder, Bed(Path(folder), ["n1"]) as bed:
        cluster = Cluster(bed)
        cluster.prepare(bed["n1"])
        cluster.start(SERVE_TIMEOUT_S)
        yield cluster


@pytest.fixture
def node(cluster):
    return cluster.bed["n1"]


def serves(cluster, node):
    cluster.wait_until_alone(node, SERVE_TIMEOUT_S)
    return True


def test_every_process_of_a_node_is_known(node):
    programs = list(node.pids().values())
    assert {"postgres", "sshd"} <= set(programs)
    assert [program for program in programs if "redis" in program]
    assert programs.count("postgres") > 1


def test_another_process_finds_the_bed(cluster, node):
    found = Bed.load(cluster.bed.root)
    assert found["n1"].host_ip == node.host_ip
    assert found["n1"].pids() == node.pids()


def test_a_frozen_node_does_not_answer_and_goes_on_when_it_thaws(cluster, node):
    node.freeze()
    assert {process.state for process in node.processes()} == {"T"}
    node.thaw()
    assert serves(cluster, node)


def test_a_killed_node_starts_again(cluster, node):
    node.kill()
    assert not node.processes()
    node.start()
    assert serves(cluster, node)


def test_a_node_that_lost_all_but_consul_starts_again(cluster, node):
    before = set(node.pids())
    node.kill(include_consul=False)
    node.start()
    assert serves(cluster, node)
    assert not before & set(node.pids())


def test_a_stopped_node_has_no_processes(cluster, node):
    node.stop()
    eventually(lambda: not node.processes(), 30, "all processes have ended")
    assert not node.running()
    node.start()
    assert serves(cluster, node)


def test_what_is_thrown_away_is_gone(cluster, node):
    bed = cluster.bed
    bed.destroy()
    assert not node.home.exists()
    assert not bed.run.exists()
    assert Bed.load(bed.root) is None
    bed.destroy()


def test_a_folder_that_is_closed_to_the_databases_user_is_avoided(tmp_path):
    tmp_path.chmod(0o700)
    home = places.data_home(tmp_path / "demo")
    assert (home == tmp_path / "demo") == (places.database_user() is None)


def test_addresses_in_use_are_avoided(tmp_path):
    subnet = places.free_subnet(tmp_path, hosts=1)
    with places.socket.create_server((f"{subnet}.1", places.PORTS.postgres)):
        assert places.free_subnet(tmp_path, hosts=1) != subnet
