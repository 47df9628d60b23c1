"""Writes ``docs/reference/configuration.md``: ``python -m scripts.write_configuration``.

With ``--check`` it writes nothing, and fails when the page is not what the code says.
"""  # noqa: INP001 - beside shell scripts

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.config import CONFIG_VARIABLE, DEFAULT_CONFIG_FILE, NodeConfig
from orchestrator.model.spec import OPTION_TYPES, Options

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"

MEANINGS: Mapping[str, str] = {
    "host_ip": "The address of this machine among the members. All its services listen there.",
    "public_ip": "How clients reach this manager, if not by `host_ip`; an address or a name.",
    "api_host": "Where Consul's own API listens. Only this machine uses it.",
    "priority": "Of two candidates with the same data, the one with the higher number leads.",
    "paths.etc": "Configuration, keys and certificates.",
    "paths.state": "What lasts: the database, Consul's data, promise, membership, files.",
    "paths.run": "Sockets and the lease file; in memory. The path must be short: sockets allow 107 bytes.",
    "paths.log": "Logs.",
    "ports.rest": "REST.",
    "ports.postgres": "PostgreSQL: replication between members.",
    "ports.consul_server": "Consul's servers.",
    "ports.consul_serf": "Consul's gossip, TCP and UDP.",
    "ports.consul_api": "Consul's API, on `api_host`, over TLS with a client certificate.",
    "ports.guard": "The lease guard. It says nothing there; members watch whether it listens.",
    "ports.ssh": "The node's own SSH daemon: replicated files, and fencing by force.",
    "ports.broker": "The broker for agents and workflows, on the leader.",
    "postgres.bin_dir": "Where PostgreSQL's programs are. Default: the newest under `/usr/lib/postgresql`.",
    "postgres.os_user": "Whom PostgreSQL runs as. Default: who runs the node, which must not be root then.",
    "postgres.settings": "PostgreSQL settings of your own. They win, except over those of replication.",
    "postgres.connect_timeout_s": "After so long a database that does not answer a query is unreachable.",
    "postgres.start_timeout_s": "How long a start is waited for before the action ends and is decided anew.",
    "postgres.stop_timeout_s": "How long a clean stop may take before it becomes an immediate one.",
    "rest.protocol": "`http` has no encryption, and is for closed networks only.",
    "rest.election_hold_s": "How long a request waits while a leader is being elected.",
    "logins.min_password_length": "How many characters a new password needs.",
    "logins.failures_before_lock": (
        "So many wrong passwords in a row lock a user out; 0: any number. Tokens go on to work."
    ),
    "logins.lock_s": "For how long, unless an administrator unlocks the user: `cfy users unlock NAME`.",
    "services.manager": "Who runs the services: `systemd` where `cfy_manager` has installed them.",
    "files.compare_every_s": "How often a replica compares all files with the leader's, by size and time.",
    "files.check_every_s": "How often it compares them by content.",
    "files.sweep_every_s": "How often a leader looks for files that no row names, and for missing ones.",
    "files.retry_after_s": "After so long, what went wrong is tried again.",
    "files.transfer_timeout_s": "How long one transfer may take; the next one goes on where it ended.",
    "workflows.max_operations": "How many operations the leader runs at a time.",
    "workflows.max_custom_workflows": (
        "How many workflows that come with a blueprint run at a time, each in some 50 MiB. The others "
        "wait, but one more is let in after each minute in which none has begun or ended."
    ),
    "workflows.max_retries": "How often an operation that failed is tried again; -1: for ever.",
    "workflows.retry_interval_s": "How long it waits before that.",
    "gossip.probe_interval_ms": "How often Consul's agents probe each other.",
    "gossip.probe_timeout_ms": "How long a probe waits for its answer.",
    "gossip.suspicion_mult": "How patient Consul is with an agent that is under suspicion.",
    "timing.tick_interval_s": "How often a node looks, when nothing wakes it earlier.",
    "timing.heartbeat_ttl_s": "After so long a silence the checks of a node fail, and its lease ends. "
    "Multiplied by the option `check_ttl_multiplier`.",
    "timing.guard_margin_s": "By how much the guard stops the database before the lease can end elsewhere.",
    "timing.guard_check_interval_s": "How often Consul itself looks whether the guard listens.",
    "timing.consul_timeout_s": "How long a call to the local Consul may take.",
    "timing.fence_timeout_s": "How long a new leader waits for the old one to be stopped by force.",
    "timing.fence_connect_timeout_s": "The part of it for the connection: a dead machine costs no more.",
    "timing.detach_timeout_s": "How long letting go of the old leader may take.",
    "timing.promote_timeout_s": "How long a promotion is waited for.",
    "timing.catch_up_timeout_s": "How long replicas may take to have all, before a record or a hand-over.",
    "timing.switchover_timeout_s": "How long a lease that was handed over waits for its target.",
    "timing.alone_after_s": "After so long without any replica, the leader goes on alone.",
    "timing.drop_after_s": "After so long an absence a replica leaves the sync record, while others stream.",
    "timing.step_down_hold_s": "For so long a node that stepped down is no candidate.",
    "timing.service_grace_s": "For so long the leader's services may fail before it hands over.",
    "timing.receiver_grace_s": "For so long a replica may be without a stream before it follows anew.",
    "timing.disk_timeout_s": "When a write hangs for so long, the guard stops the database and kills Consul.",
    "timing.minority_after_s": "For so long a node is cut off before it acts by its `minority_mode`.",
    "timing.claim_timeout_s": "For so long a node back from minority mode waits for the leader to give way.",
    "timing.join_timeout_s": "How long copying the database may be tried in a join.",
}

OPTION_MEANINGS: Mapping[str, str] = {
    "check_ttl_multiplier": "Multiplies `timing.heartbeat_ttl_s`: larger is slower to notice, and calmer.",
    "check_fail_fast": "Whether `database` and `services` fail at once, or when their time to live is over.",
    "consul_raft_multiplier": "Consul's patience with its own leader. Taken at start and join only.",
    "minority_mode": "What a node without the majority does: take writes alone, let read, or serve nothing.",
    "heal_policy": "Who leads when two sides meet again: whose database was updated last, or the majority.",
    "sync_mode": "Whether a commit waits for a replica. `async` may lose acknowledged writes in a failover.",
}

INTRODUCTION = f"""# Configuration reference

<!-- Written by python -m scripts.write_configuration from orchestrator/config.py. Change that. -->

A node's processes read one TOML file when they start: the one that `{CONFIG_VARIABLE}` names, by default
`{DEFAULT_CONFIG_FILE}`. Every setting has a default. `cfy_manager validate-config FILE` says what is wrong
in a file: the key, and what is allowed there.

```toml
host_ip = "10.0.0.1"

[timing]
heartbeat_ttl_s = 5
```

Names end in their unit: `_s` is seconds, `_ms` milliseconds. What the timings trade stands in
[Tuning](../tuning.md).

"""

TOP = "## The node\n\nAt the top of the file, before any section.\n"

OPTIONS = """
## Node options

These are no part of the file. Each member has its own. They are given with `--options` at `cfy cluster start`
and `join`, and changed with `cfy cluster nodes update`.

| option | default | allowed | meaning |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    sections = (_section(name, model) for name, model in _sections())
    options = (_option(name) for name in OPTION_TYPES)
    return INTRODUCTION + "\n".join(sections) + OPTIONS + "\n".join(options) + "\n"


def settings() -> Iterator[str]:
    """The full name of every setting."""
    for section, model in _sections():
        for key, field in model.model_fields.items():
            if not _is_section(field):
                yield f"{section}.{key}" if section else key


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "", NodeConfig
    for name, field in NodeConfig.model_fields.items():
        if _is_section(field):
            yield name, type(field.default)


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.default, BaseModel)


def _section(name: str, model: type[BaseModel]) -> str:
    title = f"## `[{name}]`\n\n{_prose(model)}" if name else TOP
    rows = [
        _row(f"{name}.{key}" if name else key, key, field)
        for key, field in model.model_fields.items()
        if not _is_section(field)
    ]
    return "\n".join([title, "| setting | default | allowed | meaning |", "|---|---|---|---|", *rows, ""])


def _prose(model: type[BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "").replace("``", "`") + "\n"


def _row(name: str, key: str, field: FieldInfo) -> str:
    return f"| `{key}` | {_default(field)} | {_allowed(field)} | {MEANINGS[name]} |"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value == {}:
        return "none"
    return f"`{value if isinstance(value, Path | int | float) else json.dumps(value)}`"


def _allowed(field: FieldInfo) -> str:
    kinds = _kinds(field.annotation)
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in get_args(field.annotation))
    bounds = {type(bound).__name__: bound for bound in field.metadata}
    if "Ge" in bounds:
        return f"{bounds['Ge'].ge} to {bounds['Le'].le}"
    if "Gt" in bounds:
        return f"a number above {bounds['Gt'].gt}"
    if field.metadata:
        return "an IP address"
    words = {str: "text", int: "a whole number", Path: "a path", dict: "a table", NoneType: ""}
    return " or ".join(filter(None, (words[get_origin(kind) or kind] for kind in kinds)))


def _kinds(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)


def _option(name: str) -> str:
    default = str(getattr(Options(), name))
    shown = default.lower() if default in {"True", "False"} else default.removesuffix(".0")
    return f"| `{name}` | `{shown}` | {OPTION_TYPES[name].expected} | {OPTION_MEANINGS[name]} |"


def main() -> None:
    """Write the page, or check it."""
    if "--check" not in sys.argv[1:]:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit(f"{PAGE.name} is out of date: run python -m scripts.write_configuration")


if __name__ == "__main__":
    main()
