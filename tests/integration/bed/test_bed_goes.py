"""A bed leaves nothing: no process, namespace, mount, cgroup or folder, whatever ended it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.bed import Bed, BedError, cache, down, host, network, node
from tests.support.processes import is_there
from tests.support.waiting import eventually

COMMAND = (sys.executable, "-m", "tests.cluster.bed")


@pytest.fixture
def name():
    name = f"goes-{os.getpid()}"
    assert traces(name) == {}
    yield name
    down(name)


def traces(name):
    """All that there is of a bed, by its kind."""
    found = {
        "namespace": [each for each in network.namespaces() if f"-{name}-" in each],
        "mount": [
            line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"-{name}" in line
        ],
        "cgroup": [each for each in Path("/sys/fs/cgroup").glob(f"**/cfy-bed-{name}") if each.is_dir()],
        "process": [each.name for each in Path("/proc").glob("[0-9]*") if belongs(each, name)],
        "folder": list((cache.home() / "beds").glob(name)),
    }
    return {kind: things for kind, things in found.items() if things}


def belongs(process, name):
    if not is_there(int(process.name)):
        return False  # Dead, and only waiting for its parent, which may be this machine's first process.
    try:
        return f"cfy-bed-{name}/" in (process / "cgroup").read_text()
    except OSError:
        return False


def test_nothing_is_left_of_a_bed(name):
    with Bed.made(name, ["n1", "n2"]) as bed:
        bed["n1"].run("sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &")
        bed["n2"].freeze()
        assert len(traces(name)) == 5
    assert traces(name) == {}


def test_nothing_is_left_when_a_node_does_not_boot(name, monkeypatch):
    monkeypatch.setattr(node, "BOOT_TIMEOUT_S", 0)
    with pytest.raises(BedError, match="n1 has booted; its console said"):
        Bed.up(name, ["n1"])
    assert traces(name) == {}


@pytest.mark.parametrize("kind", ["folder", "namespace", "mount", "process"])
def test_nothing_is_left_after_its_maker_was_killed(name, kind):
    with subprocess.Popen([*COMMAND, "--name", name, "up", "2"], start_new_session=True) as maker:
        eventually(lambda: kind in traces(name), what=f"the bed has a {kind}")
        os.killpg(maker.pid, signal.SIGKILL)
    subprocess.run([*COMMAND, "--name", name, "down"], check=True, timeout=60)
    assert traces(name) == {}


def test_other_beds_stay(bed, name):
    Bed.up(name, ["n1"])
    down(name)
    assert bed["n1"].state() in node.HAS_BOOTED


def test_a_name_is_taken_once(bed, n1):
    with pytest.raises(BedError, match="take it down first"):
        Bed.up(bed.name, ["n1"])
    assert n1.state() in node.HAS_BOOTED


def test_another_process_finds_the_bed(bed, n1):
    said = subprocess.run(
        [*COMMAND, "--name", bed.name, "exec", "n1", "hostname"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert said.stdout == "n1\n"


def test_a_node_is_added_to_a_bed(bed, n1):
    added = bed.add("n3")
    try:
        assert n1.run("ping", "-c1", "-W1", "n3", check=False).returncode == 0
        assert [each.name for each in Bed.load(bed.name)] == ["n1", "n2", "n3"]
    finally:
        bed.remove(added.name)
    assert [each.name for each in Bed.load(bed.name)] == ["n1", "n2"]


def test_nothing_behind_a_mount_is_removed_with_a_folder(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("precious")
    point = tmp_path / "goes" / "point"
    point.mkdir(parents=True)
    host.call("mount", "--bind", str(tmp_path / "kept"), str(point))
    host.remove_tree(tmp_path / "goes")
    assert not (tmp_path / "goes").exists()
    assert (tmp_path / "kept" / "file").read_text() == "precious"
