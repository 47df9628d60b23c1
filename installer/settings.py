"""The configuration of a new manager: what is on file, and what was asked for on top of it."""

from __future__ import annotations

import json
import socket
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from installer.report import InstallError
from orchestrator.config import NodeConfig, complaints, load
from orchestrator.model.errors import ConfigurationError

Settings = dict[str, Any]

NEW: Settings = {
    "services": {"manager": "systemd"},
    # 22 belongs to the machine's own sshd; the one for files is another.
    "ports": {"ssh": 8303},
}
"""What an installation sets where nothing else is said."""

OUTSIDE = ("192.0.2.1", 9)
"""An address that is nobody's (RFC 5737): the kernel tells by which of its own it would go there."""


def wanted(
    config_file: Path, given: Path | None, wishes: Mapping[str, str], unset: Iterable[str] = ()
) -> Settings:
    """The whole configuration. ``given``: a file to begin with; ``wishes``: ``section.key`` to its value.

    ``unset``: what gets its default again. Raises ``InstallError``.
    """
    settings = _read(given or config_file)
    for section, values in NEW.items():
        settings[section] = {**values, **settings.get(section, {})}
    for key, text in wishes.items():
        _put(settings, key, text)
    for key in unset:
        _take_out(settings, key)
    if "host_ip" not in settings:
        settings["host_ip"] = _own_address()
    return settings


def present(config_file: Path) -> NodeConfig:
    """The configuration that is there. Raises ``InstallError`` when it cannot be read."""
    try:
        return load(config_file)
    except ConfigurationError as error:
        raise InstallError(str(error)) from error


def checked(settings: Settings) -> NodeConfig:
    """The configuration as the node will read it. Raises ``InstallError`` with all that is wrong."""
    try:
        return NodeConfig.model_validate(settings)
    except ValidationError as error:
        raise InstallError(
            "\n".join(complaints(error)), "Each setting is explained in docs/reference/configuration.md."
        ) from error


def rendered(settings: Settings) -> str:
    """The text of the configuration file."""
    plain = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    parts = ["# Made by cfy_manager install. See docs/reference/configuration.md.", *_lines(plain)]
    for name, section in settings.items():
        if isinstance(section, dict):
            parts += _section(name, section)
    return "\n".join(parts) + "\n"


def _section(name: str, section: Settings) -> list[str]:
    plain = {key: value for key, value in section.items() if not isinstance(value, dict)}
    parts = ["", f"[{name}]", *_lines(plain)] if plain else []
    for key, below in section.items():
        if isinstance(below, dict):
            parts += _section(f"{name}.{key}", below)
    return parts


def _lines(values: Settings) -> list[str]:
    # Strings, numbers, truth values and lists are written alike in JSON and in TOML.
    return [f"{key} = {json.dumps(value)}" for key, value in values.items()]


def _read(path: Path) -> Settings:
    if not path.exists():
        return {}
    try:
        load(path)
    except ConfigurationError as error:
        raise InstallError(str(error)) from error
    return tomllib.loads(path.read_text())


def _put(settings: Settings, key: str, text: str) -> None:
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    try:
        settings[name] = json.loads(text)
    except ValueError:
        settings[name] = text


def _take_out(settings: Settings, key: str) -> None:
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.get(section, {})
    settings.pop(name, None)


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: a datagram socket only looks up the way.
            probe.connect(OUTSIDE)
        except OSError:
            raise InstallError(
                "This machine has no route, so its address cannot be guessed.", "Name it: --host-ip IP"
            ) from None
        return str(probe.getsockname()[0])
