"""Consul's data where it runs as a user of its own: deleted by itself, and never while they are needed."""

from __future__ import annotations

import json
import os
import stat

import pytest

from orchestrator.clients import consul_data, consul_home
from orchestrator.config import NodeConfig
from orchestrator.formation import pki
from orchestrator.paths import Paths


@pytest.fixture
def config(tmp_path):
    paths = Paths(etc=tmp_path / "etc", state=tmp_path / "state", run=tmp_path, log=tmp_path)
    paths.consul_etc.mkdir(parents=True)
    paths.consul_data.mkdir(parents=True)
    return NodeConfig(host_ip="127.0.0.1", paths=paths)


@pytest.fixture
def apart(config, monkeypatch):
    """A node whose Consul has a user of its own."""
    monkeypatch.setattr(consul_home.os, "geteuid", lambda: os.getuid() + 1)
    return config


def clean(config):
    consul_data.main(config.paths.consul_etc, config.paths.consul_data)


def raft(config):
    return config.paths.consul_data / "raft" / "raft.db"


def write_raft(config):
    raft(config).parent.mkdir()
    raft(config).write_text("log")


def test_the_data_stay_through_all_starts_of_one_life(apart):
    consul_home.begin_life(apart)
    clean(apart)
    write_raft(apart)
    for _ in range(2):
        consul_home.begin_life(apart)
        clean(apart)
    assert raft(apart).exists()


def test_a_node_that_has_left_keeps_no_data(apart):
    consul_home.begin_life(apart)
    clean(apart)
    write_raft(apart)
    consul_home.end_life(apart)
    clean(apart)
    assert list(apart.paths.consul_data.iterdir()) == []


def test_what_an_earlier_life_has_left_is_gone_before_the_next_one(apart):
    consul_home.begin_life(apart)
    clean(apart)
    write_raft(apart)
    consul_home.end_life(apart)
    consul_home.begin_life(apart)
    clean(apart)
    assert not raft(apart).exists()


def test_links_are_removed_and_not_followed(apart, tmp_path):
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "file").touch()
    (apart.paths.consul_data / "link").symlink_to(tmp_path / "others")
    clean(apart)
    assert (tmp_path / "others" / "file").exists()


def test_the_node_deletes_the_data_only_of_a_consul_that_runs_as_its_own_user(config, monkeypatch):
    write_raft(config)
    with monkeypatch.context() as patched:
        patched.setattr(consul_home.os, "geteuid", lambda: os.getuid() + 1)
        consul_home.delete(config)
        assert raft(config).exists()
    consul_home.delete(config)
    assert not config.paths.consul_data.exists()


def test_what_is_shared_can_be_read_by_the_group_and_nobody_else(apart):
    file = apart.paths.consul_etc / "agent.json"
    file.touch(mode=0o600)
    consul_home.share(apart, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_of_the_keys_of_a_node_consul_may_read_its_own_alone(apart):
    pki.ensure_ca(apart.paths.ssl)
    pki.issue(apart, "n1")
    keys = [path for path in apart.paths.ssl.rglob("*.key") if not path.is_symlink()]
    shared = {path for path in keys if stat.S_IMODE(path.stat().st_mode) != 0o600}
    assert shared == {(apart.paths.ssl / "node.key").resolve()}


def test_nothing_is_shared_where_consul_runs_as_the_nodes_user(config):
    file = config.paths.consul_etc / "agent.json"
    file.touch(mode=0o600)
    consul_home.share(config, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def recovered_with(config):
    """What Consul is told of its servers when it starts; None when it is told nothing."""
    file = config.paths.consul_data / "raft" / "peers.json"
    return json.loads(file.read_text()) if file.exists() else None


@pytest.mark.parametrize("own_user", [True, False])
def test_a_server_goes_on_alone_once_for_each_time_that_it_was_asked_to(config, own_user, monkeypatch):
    if own_user:
        monkeypatch.setattr(consul_home.os, "geteuid", lambda: os.getuid() + 1)
        monkeypatch.setattr(consul_home.os, "chown", lambda *_: None)
    start = clean if own_user else (lambda _: None)  # The node's own user does it when it is asked to.
    consul_home.begin_life(config)
    start(config)
    write_raft(config)
    (config.paths.consul_data / "node-id").write_text("a-server\n")
    keyring = config.paths.consul_data / "serf" / "local.keyring"
    keyring.parent.mkdir()
    keyring.write_text("old keys")

    consul_home.ask_for_only_server(config)
    start(config)
    assert recovered_with(config) == [{"id": "a-server", "address": "127.0.0.1:8300", "non_voter": False}]
    assert not keyring.exists()
    assert raft(config).exists()

    # Consul deletes the file when it has read it.
    (config.paths.consul_data / "raft" / "peers.json").unlink()
    start(config)
    assert recovered_with(config) is None


def test_in_another_life_it_is_not_asked_for_any_more(apart):
    consul_home.begin_life(apart)
    (apart.paths.consul_etc / "only-server").write_text("{}")
    consul_home.end_life(apart)
    assert not (apart.paths.consul_etc / "only-server").exists()
