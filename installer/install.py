"""Making a manager of this machine, and taking it off again.

Each step may find that it was done already: an installation that was interrupted is finished by the next
one, and one that is repeated changes nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from installer import checks, machine, settings, units
from installer.machine import ACCOUNT, SUDOERS, TMPFILES, TRAMPOLINE, UNITS
from installer.report import InstallError, done, say
from manager.password_policy import PasswordPolicy
from orchestrator.clients.programs import programs
from orchestrator.clients.systemd import unit_of
from orchestrator.config import NodeConfig
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import membership

ANSWERS_WITHIN_S = 120.0
POLL_S = 0.2
PASSWORD_BYTES = 16

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator asks for. ``settings``: ``section.key`` to its value; ``unset``: their defaults."""

    given: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    admin_password: str | None = None
    unset: Sequence[str] = ()


def install(config_file: Path, wishes: Wishes) -> None:
    """Have a running manager on this machine. Raises ``InstallError``."""
    wanted = settings.wanted(config_file, wishes.given, wishes.settings)
    config = settings.checked(wanted)
    installed = (UNITS / units.TARGET).exists()
    if complaints := checks.complaints(config, installed=installed):
        raise InstallError("\n".join(complaints), "Nothing was changed.")
    _make_node(config_file, wanted, config)
    changed = make_units(config_file, config)
    say("Starting the services")
    machine.systemctl("enable", "--quiet", units.TARGET)
    machine.systemctl("start", units.TARGET)
    password = _make_tables(config_file, config, wishes.admin_password)
    wait_for(lambda: answers(config.host_ip, config.ports.rest), "The REST service does not answer.")
    _tell(config, password, wishes.admin_password, restart=installed and changed)


def _make_node(config_file: Path, wanted: settings.Settings, config: NodeConfig) -> None:
    say(f"The users {ACCOUNT} and {machine.CONSUL_ACCOUNT}, folders, and {config_file}")
    machine.make_accounts()
    machine.make_folders(config)
    machine.write(config_file, settings.rendered(wanted), 0o640, group=ACCOUNT)
    say("Keys, certificates, and an empty database")
    machine.as_node(config_file, sys.executable, "-m", "orchestrator.formation.node")


def make_units(config_file: Path, config: NodeConfig) -> bool:
    """Have the units of systemd, and what may be done with sudo; whether that was a change."""
    say("Units of systemd, and what may be done with sudo")
    here = programs(config, member=False, root=False)
    changed = machine.write(
        TRAMPOLINE, files("installer").joinpath("sudo_trampoline.py").read_text(), mode=0o755
    )
    _allow_sudo()
    machine.write(TMPFILES, units.folder_in_memory(config, ACCOUNT), mode=0o644)
    machine.run("systemd-tmpfiles", "--create", str(TMPFILES))
    own = {"consul": machine.consul_account(config)}
    wanted = units.units(config, config_file, here, ACCOUNT, own)
    for name, text in wanted.items():
        changed |= machine.write(UNITS / name, text, mode=0o644)
    _remove_units(_our_units() - wanted.keys())
    machine.systemctl("enable", "--quiet", *(unit_of(each.name) for each in here if each.autostart))
    return changed


def _our_units() -> set[str]:
    # systemd keeps a folder of links beside a target.
    return {path.name for path in UNITS.glob(units.OURS) if path.is_file()}


def _remove_units(names: Iterable[str]) -> None:
    """Stop and remove units: all of them, or those that an earlier version had."""
    if ours := sorted(names):
        machine.systemctl("disable", "--now", "--quiet", *ours)
    machine.remove(*(UNITS / name for name in ours))
    machine.systemctl("daemon-reload")


def _allow_sudo() -> None:
    """The rule is checked before it is in force: a mistake in it would take sudo from everybody."""
    text = f"# Made by cfy_manager install.\n{ACCOUNT} ALL=(root) NOPASSWD: {TRAMPOLINE}\n"
    beside = SUDOERS.with_name(".cloudify.new")
    machine.write(beside, text, mode=0o440)
    try:
        machine.run("visudo", "--check", "--quiet", "--file", str(beside))
        machine.write(SUDOERS, text, mode=0o440)
    finally:
        machine.remove(beside)


def _make_tables(config_file: Path, config: NodeConfig, given: str | None) -> str | None:
    """Have the product's tables; gives the administrator's password when he was made just now.

    A member of a cluster has them already, or gets them from its leader.
    """
    if membership.read(config.paths.membership_file).state is not MembershipState.ALONE:
        return None
    say("The product's tables")
    password = given or secrets.token_urlsafe(PASSWORD_BYTES)

    def migrated() -> str | None:
        return machine.as_node(
            config_file, sys.executable, "-m", "manager.migrate", CLOUDIFY_ADMIN_PASSWORD=password
        )

    told = wait_for(migrated, "The database does not take the tables.")
    return password if json.loads(told)["administrator_made"] else None


def answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


def wait_for(question: Callable[[], T | None], complaint: str) -> T:
    """Wait for an answer that is one. Raises ``InstallError`` with what was in the way."""
    deadline_s, why = time.monotonic() + ANSWERS_WITHIN_S, ""
    while time.monotonic() < deadline_s:
        try:
            if answer := question():
                return answer
        except InstallError as error:
            why = f" {error}"
        time.sleep(POLL_S)
    raise InstallError(f"{complaint}{why}", "journalctl -u 'cloudify-*' tells more")


def _tell(config: NodeConfig, made: str | None, given: str | None, *, restart: bool) -> None:
    """Tell of the end. ``made``: the administrator's password, if he was made just now."""
    address = f"{config.rest.protocol}://{config.public_ip or config.host_ip}:{config.ports.rest}"
    lines = [f"The manager runs: {address}"]
    shown = None if given else made
    if shown:
        lines.append(f"Its administrator is admin, with the password {shown}. It is not shown again.")
    if made and (poor := PasswordPolicy(config.logins.min_password_length).complaints("admin", made)):
        lines.append(f"The administrator's password can be guessed: {'; '.join(poor)}.")
        lines.append("A better one: cfy users set-password admin")
    if restart:
        lines.append("What has changed takes effect with: cfy_manager restart")
    done("\n".join(lines), address=address, admin_password=shown, restart_needed=restart)


def remove(config_file: Path) -> None:
    """Take the manager off this machine: processes, data, configuration, units, user. Can be repeated."""
    paths = settings.checked(settings.wanted(config_file, None, {"host_ip": "127.0.0.1"})).paths
    say("Stopping the services")
    _remove_units(_our_units())
    # systemd remembers units that have failed, also when they are gone.
    machine.systemctl("reset-failed")
    say("Removing files, folders and the users")
    machine.remove(SUDOERS, TMPFILES, TRAMPOLINE)
    machine.remove(paths.run, paths.log, paths.state, paths.etc)
    machine.remove_accounts()
    done("The manager is removed. Its program is where you have put it.", removed=True)


def must_be_root() -> None:
    """Raise ``InstallError`` for anybody else."""
    if os.geteuid() != 0:
        raise InstallError("It takes root.", "Run it with sudo.")
