"""The systemd units of a manager: a table of programs in, the texts of units out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.clients import consul_data
from orchestrator.clients.programs import Program
from orchestrator.clients.systemd import unit_of
from orchestrator.config import CONFIG_VARIABLE, NodeConfig

TARGET = "cloudify-manager.target"
OURS = "cloudify-*"

USES_SUDO = frozenset({"handler-runner", "lease-guard"})
"""One starts and stops the others, one kills Consul when the disk hangs. What hardens a unit fully would keep
sudo from working."""

RUNS_OTHERS_CODE = frozenset({"mgmtworker"})
"""Operations are other people's programs: they may need what no part of a manager does."""

BINDS_LOW_PORTS = frozenset({"restservice"})

SPARING = (
    "ProtectSystem=full",
    "ProtectHome=read-only",
    "PrivateTmp=yes",
)
HARDENED = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectProc=invisible",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
)


def units(
    config: NodeConfig, config_file: Path, programs: Iterable[Program], account: str, own: Mapping[str, str]
) -> Mapping[str, str]:
    """The text of each unit, by its file name.

    ``account``: the user and group that they run as; ``own``: those of services that may have others.
    """
    made = {
        unit_of(each.name): _service(config, config_file, each, own.get(each.name, account), account)
        for each in programs
    }
    return {TARGET: _target(), **made}


def folder_in_memory(config: NodeConfig, account: str) -> str:
    """The rule for tmpfiles.d(5): the folder for sockets is gone after each reboot, and made anew."""
    return f"d {config.paths.run} 0700 {account} {account} -\n"


def _target() -> str:
    return _text(
        Unit=["Description=The manager, with all its services", "After=network-online.target"],
        Install=["WantedBy=multi-user.target"],
    )


def _service(config: NodeConfig, config_file: Path, program: Program, account: str, usual: str) -> str:
    apart = account != usual
    service = [
        "Type=exec",
        f"User={account}",
        f"Group={account}",
        "UMask=0077",
        f"WorkingDirectory={config.paths.state}",
        f'Environment="{CONFIG_VARIABLE}={config_file}"',
        *(_with_data_of_its_own(config) if apart else ()),
        "ExecStart=" + _command(program.command),
        f"Restart={'always' if program.autorestart else 'no'}",
        "RestartSec=1",
        # The main process ends its children in the right order; what is left then is killed.
        "KillMode=mixed",
        f"KillSignal=SIG{program.stop_signal}",
        f"TimeoutStopSec={program.stop_wait_s:g}",
        "LimitNOFILE=65536",
        *_protection(config, program.name, apart=apart),
    ]
    return _text(
        Unit=[
            f"Description=The manager's {program.name}",
            f"PartOf={TARGET}",
            "After=network-online.target",
            # However often it falls, it is tried again: the cluster counts on what comes back.
            "StartLimitIntervalSec=0",
        ],
        Service=service,
        Install=[f"WantedBy={TARGET}"],
    )


def _with_data_of_its_own(config: NodeConfig) -> list[str]:
    """Only Consul itself can delete what it has of a cluster that the node has left (``consul_data``)."""
    script = str(Path(consul_data.__file__).resolve())
    folders = (str(config.paths.consul_etc), str(config.paths.consul_data))
    command = _command((sys.executable, "-I", "-S", script, *folders))
    return [f"ExecStartPre={command}", f"ExecStopPost={command}"]


def _protection(config: NodeConfig, name: str, *, apart: bool) -> list[str]:
    paths = config.paths
    folders = [paths.consul_data] if apart else [paths.etc, paths.state, paths.run, paths.log]
    writable = f"ReadWritePaths={' '.join(map(str, folders))}"
    if name in USES_SUDO | RUNS_OTHERS_CODE:
        return [*SPARING, writable]
    low_ports = ["CAP_NET_BIND_SERVICE"] if name in BINDS_LOW_PORTS else []
    capabilities = " ".join(low_ports)
    return [
        *HARDENED,
        writable,
        f"CapabilityBoundingSet={capabilities}",
        *([f"AmbientCapabilities={capabilities}"] if low_ports else []),
    ]


def _command(words: Iterable[str]) -> str:
    return " ".join(map(_word, words))


def _word(word: str) -> str:
    """One word of a command line, as systemd reads it (systemd.service(5), "Command lines")."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _text(**sections: Iterable[str]) -> str:
    parts = ["\n".join((f"[{name}]", *lines)) for name, lines in sections.items()]
    return "# Made by cfy_manager install.\n" + "\n\n".join(parts) + "\n"
