"""A walk over each member of a cluster: who runs, who may read what, who listens, and where secrets stand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

import pytest

from installer import sudo_trampoline
from installer.units import BINDS_LOW_PORTS, RUNS_OTHERS_CODE, USES_SUDO
from orchestrator.config import NodeConfig
from tests.cluster.machines.managers import BIN, PASSWORD

WALKER = (Path(__file__).parent / "walker.py").read_text()
OURS = ("/etc/cloudify", "/var/lib/cloudify", "/run/cloudify", "/var/log/cloudify")
PROGRAM = "/opt/cloudify"
DATA_OF_CONSUL = "/var/lib/cloudify/consul"
SSH = 8303

OF_A_USER = "seven purple ladders sing"
"""The password of a user who was made for the walk, and who has also failed to log in."""

ACCOUNT, CONSUL = "cfyuser", "cfyuser_consul"
USERS = {ACCOUNT, CONSUL}
ACCOUNTS = {"cloudify-consul": CONSUL}
CAPABILITIES = {f"cloudify-{name}": 1 << 10 for name in BINDS_LOW_PORTS}
"""CAP_NET_BIND_SERVICE, by units; the others have none."""

FOR_EVERYBODY = (
    "/etc/cloudify/cluster-ssl/ca.pem",
    "/etc/cloudify/cluster-ssl/node.pem",
    "/etc/cloudify/cluster-ssl/pair-*/node.pem",
    "/etc/cloudify/postgres/*.conf",
    "/etc/cloudify/postgres",
)
"""What any user of the machine may read; there is no secret in it."""

WELL_PROTECTED, SPARINGLY_PROTECTED = 1.7, 8.6
"""As ``systemd-analyze security`` of systemd 252 measures it, from 0 to 10; docs/security.md tells them."""

SHARED_WITH_CONSUL = (
    "/etc/cloudify/consul",
    "/etc/cloudify/consul/*",
    "/etc/cloudify/cluster-ssl/pair-*/node.key",
)

WRITE_OF_OTHERS = 0o022
SETS_ID = 0o6000


def walk(node) -> Mapping:
    asked = {
        "folders": [*OURS, PROGRAM],
        "told": {"the administrator's password": PASSWORD, "a user's": OF_A_USER},
    }
    return json.loads(node.run(f"{BIN}/python", "-c", WALKER, stdin=json.dumps(asked), timeout_s=300).stdout)


@pytest.fixture(scope="module")
def walked(managed):
    """What was met on each machine, after things that somebody could have written down with their secrets."""
    leader = managed.whole()
    managed.cfy(leader, "users", "create", "walker", "-p", OF_A_USER)
    failing = ("env", "CFY_HOME=/root/walking", "CFY_PASSWORD=" + OF_A_USER[:-1], f"{BIN}/cfy")
    leader.run(*failing, "profiles", "use", leader.address, "-u", "walker", "--ssl-trust-all", check=False)
    leader.run("rm", "-rf", "/root/walking")
    yield {node.name: walk(node) for node in managed.bed}
    managed.cfy(managed.leader(), "users", "delete", "walker")


def met(walked, kind):
    return [(name, found) for name, walk in walked.items() for found in walk[kind]]


def test_no_secret_stands_in_a_log_a_command_line_an_environment_or_where_anybody_can_read_it(walked):
    assert [leak for _, leak in met(walked, "leaks")] == []
    for walk in walked.values():
        keys = {
            name
            for name in walk["secrets"]
            if name.endswith(("ca.key", "node.key", "client_key", "host_key"))
        }
        assert len(keys) >= 5
        assert {"the gossip key", "the broker's password", "the hash of a password"} <= set(walk["secrets"])


def test_services_run_as_their_users_with_no_more_rights_than_they_need(walked):
    for name, found in met(walked, "processes"):
        unit, words = found["unit"], found["command"].split()
        if not unit or words[:1] in (["sudo"], ["/opt/cloudify/sudo_trampoline.py"]):
            continue
        assert found["user"] == ACCOUNTS.get(unit, ACCOUNT), (name, found)
        assert found["capabilities"] in {0, CAPABILITIES.get(unit, 0)}, (name, found)
        sparing = unit.removeprefix("cloudify-") in USES_SUDO | RUNS_OTHERS_CODE
        assert found["no_new_privileges"] is not sparing, (name, found)


def test_the_managers_users_run_nothing_outside_of_the_units(walked):
    assert [
        found for _, found in met(walked, "processes") if found["user"] == ACCOUNT and not found["unit"]
    ] == []


def test_files_belong_to_the_manager_and_nobody_else_reads_more_than_what_is_for_everybody(walked):
    for name, found in met(walked, "files"):
        if found["path"].startswith(PROGRAM):
            continue
        owner = CONSUL if found["path"].startswith(DATA_OF_CONSUL) else ACCOUNT
        assert found["user"] in {owner, "root"}, (name, found)
        assert "w" not in found["anybody"], (name, found)
        assert not (found["mode"] & WRITE_OF_OTHERS and found["kind"] in "fd"), (name, found)
        if "r" in found["anybody"]:
            assert any(fnmatch(found["path"], pattern) for pattern in FOR_EVERYBODY), (name, found)


def test_consul_reads_nothing_of_the_manager_but_what_it_needs(walked):
    """Its user is in no other group."""
    shared = {
        found["path"]
        for _, found in met(walked, "files")
        if found["group"] == CONSUL and not found["path"].startswith(DATA_OF_CONSUL)
    }
    assert shared
    for path in shared:
        assert any(fnmatch(path, pattern) for pattern in SHARED_WITH_CONSUL), path


def test_only_root_can_change_the_program_and_nothing_of_it_gives_rights(walked):
    for name, found in met(walked, "files"):
        assert not found["mode"] & SETS_ID, (name, found)
        if found["path"].startswith(PROGRAM):
            assert (found["user"], found["group"]) == ("root", "root"), (name, found)
            assert not found["mode"] & WRITE_OF_OTHERS, (name, found)


def test_a_manager_listens_where_it_is_documented_and_nowhere_else(managed, walked):
    ports = NodeConfig().ports.model_dump() | {"ssh": SSH}
    for node in managed.bed:
        documented = {f"{node.address}:{port}" for port in ports.values()}
        documented ^= {f"{node.address}:{ports['consul_api']}", f"127.0.0.1:{ports['consul_api']}"}
        units = {found["pid"]: found["unit"] for found in walked[node.name]["processes"]}
        for line in walked[node.name]["sockets"]:
            if any(units.get(int(pid)) for pid in re.findall(r"pid=(\d+)", line)):
                assert line.split()[4 if line.startswith(("tcp", "udp")) else 3] in documented, line


def test_no_service_is_more_exposed_than_it_has_to_be(managed):
    node = managed.leader()
    for name in sudo_trampoline.SERVICES:
        unit = f"cloudify-{name}"
        told = node.run("systemd-analyze", "security", "--no-pager", unit, check=False).stdout
        exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", told)[1])
        sparing = name in USES_SUDO | RUNS_OTHERS_CODE
        assert exposure <= (SPARINGLY_PROTECTED if sparing else WELL_PROTECTED), (unit, exposure)
