"""The units of systemd, and the one program that may change them."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer import sudo_trampoline
from installer.units import OURS, TARGET, folder_in_memory, units
from orchestrator.clients.programs import Program, programs
from orchestrator.clients.systemd import unit_of
from orchestrator.config import NodeConfig

CONFIG, FILE = NodeConfig(host_ip="10.0.0.1"), Path("/etc/cloudify/manager.toml")
OWN = {"consul": "cfyuser_consul"}


def made(*programs: Program) -> dict[str, list[str]]:
    return {name: text.splitlines() for name, text in units(CONFIG, FILE, programs, "cfyuser", OWN).items()}


@pytest.fixture(scope="module")
def all_units():
    return made(*programs(CONFIG, member=False, root=False))


def test_each_program_of_a_node_has_a_unit_and_the_target_holds_them_all(all_units):
    services = {unit_of(program.name) for program in programs(CONFIG, member=False, root=False)}
    assert set(all_units) == services | {TARGET}
    for service in services:
        assert f"PartOf={TARGET}" in all_units[service]
        assert f"WantedBy={TARGET}" in all_units[service]


def test_every_name_is_recognised_as_ours(all_units):
    assert all(Path(name).match(OURS) for name in all_units)


def test_nothing_runs_as_root(all_units):
    for name in set(all_units) - {TARGET}:
        account = "cfyuser_consul" if "consul.service" in name else "cfyuser"
        assert f"User={account}" in all_units[name]
        assert f"Group={account}" in all_units[name]


def test_consul_writes_nothing_but_its_data_and_deletes_those_of_an_earlier_life_itself(all_units):
    consul = all_units[unit_of("consul")]
    assert "ReadWritePaths=/var/lib/cloudify/consul" in consul
    for when in ("ExecStartPre", "ExecStopPost"):
        (line,) = [line for line in consul if line.startswith(f"{when}=")]
        assert line.endswith('consul_data.py" "/etc/cloudify/consul" "/var/lib/cloudify/consul"')


def test_a_consul_that_runs_as_the_managers_user_goes_on_to(monkeypatch):
    monkeypatch.setitem(OWN, "consul", "cfyuser")
    consul = made(*programs(CONFIG, member=True, root=False))[unit_of("consul")]
    assert "User=cfyuser" in consul
    assert not [line for line in consul if line.startswith("ExecStartPre")]


def test_only_who_needs_sudo_or_runs_other_peoples_programs_is_protected_sparingly(all_units):
    sparing = {name for name, lines in all_units.items() if "NoNewPrivileges=yes" not in lines} - {TARGET}
    assert sparing == {unit_of("handler-runner"), unit_of("lease-guard"), unit_of("mgmtworker")}


def test_a_low_port_is_the_one_capability_and_rest_alone_has_it(all_units):
    for name, lines in all_units.items():
        ambient = [line for line in lines if line.startswith("AmbientCapabilities")]
        assert ambient == (["AmbientCapabilities=CAP_NET_BIND_SERVICE"] if "restservice" in name else [])


def test_the_database_is_not_started_again_by_systemd(all_units):
    """A primary that comes up by itself could acknowledge what nobody will ever see again."""
    assert "Restart=no" in all_units[unit_of("postgresql")]
    assert "Restart=always" in all_units[unit_of("restservice")]


def test_words_of_a_command_reach_the_program_as_they_are():
    unit = made(Program("odd", ("/bin/echo", "100 %", 'a "b"', "$HOME", "c\\d")))[unit_of("odd")]
    assert r'ExecStart="/bin/echo" "100 %%" "a \"b\"" "$$HOME" "c\\d"' in unit


def test_the_folder_for_sockets_belongs_to_the_managers_user():
    assert folder_in_memory(CONFIG, "cfyuser") == "d /run/cloudify 0700 cfyuser cfyuser -\n"


def test_the_trampoline_knows_each_service_and_no_other():
    known = {program.name for program in programs(CONFIG, member=False, root=False)}
    assert set(sudo_trampoline.SERVICES) == known


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["start"],
        ["start", "ssh"],
        ["mask", "redis"],
        ["start", "redis", "--now"],
        ["start", "../redis"],
        ["--help", "redis"],
        ["start", "redis;reboot"],
        ["kill", "restservice"],
    ],
)
def test_whatever_else_is_asked_of_the_trampoline_is_refused(words, monkeypatch, capsys):
    monkeypatch.setattr(sudo_trampoline.os, "execve", lambda *_: pytest.fail("it was carried out"))
    assert sudo_trampoline.main(words) == sudo_trampoline.WRONG
    assert "nothing else" in capsys.readouterr().err


def test_what_the_trampoline_carries_out(monkeypatch):
    seen = []
    monkeypatch.setattr(sudo_trampoline.os, "execve", lambda *call: seen.append(call))
    sudo_trampoline.main(["start", "broker"])
    path, words, environment = seen[0]
    assert path == "/usr/bin/systemctl"
    assert words[1:] == ["--quiet", "--no-block", "start", "cloudify-broker.service"]
    assert set(environment) == {"PATH", "LC_ALL"}


@pytest.mark.parametrize(
    ("verb", "words"),
    [("start", ["enable", "--now"]), ("stop", ["disable", "--now"]), ("kill", ["kill", "--signal=KILL"])],
)
def test_a_members_consul_comes_back_with_the_machine(verb, words):
    assert sudo_trampoline.words(verb, "consul")[3:] == [*words, "cloudify-consul.service"]
