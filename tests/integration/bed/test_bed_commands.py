"""Commands are run in a node and beside it, and files come and go."""

from __future__ import annotations

import pytest

from tests.cluster.bed import BedError, CommandFailed, CommandTimedOut


def test_a_command_gives_its_output_and_exit_code(n1):
    done = n1.run("sh", "-c", "cat; echo aside >&2; exit 3", stdin="said", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("said", "aside\n", 3)


def test_a_failure_says_where_and_why(n1):
    with pytest.raises(CommandFailed, match=r"n1: cat /nowhere ended with 1: .*No such file"):
        n1.read("/nowhere")


def test_a_command_beside_the_nodes_fails_alike(bed):
    with pytest.raises(CommandFailed, match="client: false ended with 1"):
        bed.client("false")


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(n1):
    with pytest.raises(CommandTimedOut):
        n1.run("sh", "-c", "setsid sleep 601 & sleep 602", timeout_s=1)
    assert "sleep 60" not in n1.run("ps", "-ax").stdout


def test_nothing_of_this_process_is_in_a_node_s_environment(n1, monkeypatch):
    monkeypatch.setenv("CLOUDIFY_PASSWORD", "told-to-nobody")
    assert "told-to-nobody" not in n1.run("env").stdout


def test_a_folder_is_copied_and_belongs_to_root(n1, tmp_path):
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "tool").write_text("#!/bin/sh\necho used\n")
    (tmp_path / "folder" / "inner" / "tool").chmod(0o750)
    n1.copy(tmp_path / "folder", "/opt/new/place")
    assert n1.run("/opt/new/place/inner/tool").stdout == "used\n"
    assert n1.run("stat", "-c", "%U:%G %a", "/opt/new/place/inner/tool").stdout == "root:root 750\n"


def test_a_file_is_copied_to_where_only_the_node_sees_it(n1, tmp_path):
    (tmp_path / "file").write_text("copied")
    n1.copy(tmp_path / "file", "/run/copied")
    assert n1.read("/run/copied") == "copied"


def test_a_node_that_is_off_says_so(n1):
    n1.power()
    with pytest.raises(BedError, match="n1 is off"):
        n1.run("true")


def test_a_node_that_is_not_there_is_named(bed):
    with pytest.raises(BedError, match="no 'n7'; it has n1, n2"):
        bed["n7"]


def test_the_project_is_installed_without_a_network(n1):
    n1.install_python("/opt/cloudify")
    assert "Usage: cfy_manager" in n1.run("/opt/cloudify/bin/cfy_manager", "--help").stdout
    assert n1.run("sh", "-c", "ls /var/tmp | grep -v systemd", check=False).stdout == ""


@pytest.mark.parametrize("program", ["consul", "redis-server", "haproxy", "rsync", "sudo", "nft"])
def test_what_a_manager_needs_from_packages_is_there(n1, program):
    n1.run("which", program)


def test_no_server_of_the_packages_runs(n1):
    running = n1.run("ps", "-eo", "comm=").stdout.split()
    assert not {"postgres", "redis-server", "consul", "haproxy"} & set(running)
