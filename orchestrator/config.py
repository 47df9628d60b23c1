"""Every setting of a node, with its default.

A node reads one TOML file, named by ``CLOUDIFY_CONFIG`` (default ``/etc/cloudify/manager.toml``). What the
cluster decides while it runs (membership, options) is not here but in the node's state folder.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from orchestrator.model.errors import ConfigurationError
from orchestrator.paths import Paths, Section

DEFAULT_CONFIG_FILE = Path("/etc/cloudify/manager.toml")
CONFIG_VARIABLE = "CLOUDIFY_CONFIG"
NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def _ip_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address; a hostname cannot be used here") from None


IpAddress = Annotated[str, AfterValidator(_ip_address)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class Ports(Section):
    """TCP ports; the same on every member of a cluster."""

    rest: Port = 443
    postgres: Port = 15432
    consul_server: Port = 8300
    consul_serf: Port = 8301
    consul_api: Port = 8500
    guard: Port = 8302
    ssh: Port = 22
    broker: Port = 6379


class PostgresSettings(Section):
    """``os_user``: whom the server runs as; None: the user that runs the node (who must not be root)."""

    bin_dir: Path | None = None
    os_user: str | None = None
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)
    connect_timeout_s: Seconds = 2.0
    start_timeout_s: Seconds = 60.0
    stop_timeout_s: Seconds = 30.0


class RestSettings(Section):
    """The REST service. Plain HTTP can be configured, and is for closed networks only."""

    protocol: Literal["https", "http"] = "https"
    election_hold_s: Seconds = 2.0


class LoginSettings(Section):
    """New passwords of REST's users, and wrong ones: so many in a row (0: any number) lock a user out."""

    min_password_length: Annotated[int, Field(ge=1, le=128)] = 8
    failures_before_lock: Annotated[int, Field(ge=0, le=1000)] = 4
    lock_s: Seconds = 600.0


class ServicesSettings(Section):
    """How this machine's services are run."""

    manager: Literal["supervisor", "systemd"] = "supervisor"


class FilesSettings(Section):
    """How the replicated files are kept alike: a change is followed at once, all else from time to time."""

    compare_every_s: Seconds = 60.0
    check_every_s: Seconds = 3600.0
    sweep_every_s: Seconds = 60.0
    retry_after_s: Seconds = 2.0
    transfer_timeout_s: Seconds = 600.0


class WorkflowsSettings(Section):
    """How operations are run on the leader: so many at a time; one that fails is tried again so often."""

    max_operations: Annotated[int, Field(ge=1, le=1000)] = 50
    max_custom_workflows: Annotated[int, Field(ge=1, le=1000)] = 40
    max_retries: Annotated[int, Field(ge=-1, le=10000)] = 60
    retry_interval_s: Seconds = 15.0


class Gossip(Section):
    """Consul's LAN gossip, tuned for fast detection of a dead host (figures in ``docs/tuning.md``)."""

    probe_interval_ms: int = 200
    probe_timeout_ms: int = 100
    suspicion_mult: int = 2


class Timing(Section):
    """Durations in seconds. Those that are times to live are scaled by ``check_ttl_multiplier``."""

    tick_interval_s: Seconds = 1.0
    heartbeat_ttl_s: Seconds = 3.0
    guard_margin_s: Seconds = 0.5
    guard_check_interval_s: Seconds = 1.0
    consul_timeout_s: Seconds = 1.5
    fence_timeout_s: Seconds = 1.0
    fence_connect_timeout_s: Seconds = 0.3
    detach_timeout_s: Seconds = 5.0
    promote_timeout_s: Seconds = 30.0
    catch_up_timeout_s: Seconds = 5.0
    switchover_timeout_s: Seconds = 3.0
    alone_after_s: Seconds = 10.0
    drop_after_s: Seconds = 5.0
    step_down_hold_s: Seconds = 10.0
    service_grace_s: Seconds = 10.0
    receiver_grace_s: Seconds = 3.0
    minority_after_s: Seconds = 15.0
    disk_timeout_s: Seconds = 5.0
    claim_timeout_s: Seconds = 10.0
    join_timeout_s: Seconds = 300.0


class NodeConfig(Section):
    """The whole configuration of one node."""

    host_ip: IpAddress = "127.0.0.1"
    public_ip: str | None = None
    api_host: IpAddress = "127.0.0.1"
    priority: int = 0
    paths: Paths = Paths()
    ports: Ports = Ports()
    postgres: PostgresSettings = PostgresSettings()
    rest: RestSettings = RestSettings()
    logins: LoginSettings = LoginSettings()
    services: ServicesSettings = ServicesSettings()
    files: FilesSettings = FilesSettings()
    workflows: WorkflowsSettings = WorkflowsSettings()
    gossip: Gossip = Gossip()
    timing: Timing = Timing()


def config_file() -> Path:
    """The file that this process's node is configured by."""
    return Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG_FILE))


def load(path: Path | None = None) -> NodeConfig:
    """Read and check a configuration file.

    Raises ``ConfigurationError`` naming the file, the key and what is allowed.
    """
    path = path or config_file()
    try:
        content = tomllib.loads(path.read_text())
        return NodeConfig.model_validate(content)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: is not valid TOML: {error}") from error
    except ValidationError as error:
        raise ConfigurationError("\n".join(f"{path}: {each}" for each in complaints(error))) from error


def complaints(error: ValidationError) -> list[str]:
    """What is wrong with each setting, and what is allowed."""
    return [_complaint(".".join(map(str, item["loc"])), item["type"], item["msg"]) for item in error.errors()]


def _complaint(key: str, kind: str, message: str) -> str:
    if kind != "extra_forbidden":
        return f"{key}: {message.removeprefix('Value error, ')}"
    section: type[BaseModel] = NodeConfig
    for part in key.split(".")[:-1]:
        annotation = section.model_fields[part].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            section = annotation
    return f"{key}: there is no such setting; allowed here: {', '.join(sorted(section.model_fields))}"


def main(arguments: list[str] | None = None) -> int:
    """Check the files that are named on the command line; says on standard error what is wrong with them."""
    paths = sys.argv[1:] if arguments is None else arguments
    complaints = []
    for path in paths or [str(config_file())]:
        try:
            load(Path(path))
        except ConfigurationError as error:
            complaints.append(str(error))
    sys.stderr.writelines(f"{complaint}\n" for complaint in complaints)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
