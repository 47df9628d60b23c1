"""The agent's folder: what it was told (members, broker, CA), which of the members leads, and its ledger.

Everything in it is for the agent's own user alone: passwords are among it.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

OWN_FILE, OWN_FOLDER = 0o600, 0o700
Port = Annotated[int, Field(ge=1, le=65535)]


class NotConfigured(Exception):
    """The agent's folder has no settings, or wrong ones. The message says which, and what helps."""


class Busy(Exception):
    """An agent runs in this folder already. The message says as which process."""


class Settings(BaseModel):
    """What an agent has to know. All members listen on the same ports.

    ``token``: of a user, for ``cfy_agent validate`` alone: operations bring tokens of their own.
    ``max_workers``: so many operations run at a time. ``detached``: it is no service of systemd.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]
    members: Annotated[tuple[str, ...], Field(min_length=1)]
    broker_password: Annotated[str, Field(repr=False)]
    broker_port: Port = 6379
    rest_port: Port = 443
    rest_protocol: Literal["http", "https"] = "https"
    token: Annotated[str, Field(repr=False)] = ""
    max_workers: Annotated[int, Field(ge=1, le=200)] = 5
    detached: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """Where an agent lives."""

    path: Path

    @property
    def ca_file(self) -> Path:
        """The managers' internal CA."""
        return self.path / "ca.pem"

    @property
    def ledger_file(self) -> Path:
        """What has been begun, and what became of it."""
        return self.path / "ledger.db"

    @property
    def pid_file(self) -> Path:
        """The process that holds the lock on this file is the agent."""
        return self.path / "agent.pid"

    @property
    def log_file(self) -> Path:
        """Where an agent writes that no service manager started."""
        return self.path / "agent.log"

    @property
    def blueprints(self) -> Path:
        """Archives of blueprints, unpacked."""
        return self.path / "blueprints"

    @property
    def work(self) -> Path:
        """What operations keep on this machine."""
        return self.path / "work"

    def settings(self) -> Settings:
        """Raises ``NotConfigured``."""
        try:
            return Settings.model_validate_json((self.path / "settings.json").read_bytes())
        except FileNotFoundError:
            raise NotConfigured(
                f"There is no agent in {self.path}. Say `cfy_agent configure` first."
            ) from None
        except ValidationError as error:
            raise NotConfigured(f"The settings in {self.path} are wrong: {error}") from error

    def store(self, settings: Settings) -> None:
        """Keep these settings."""
        self.path.mkdir(mode=OWN_FOLDER, parents=True, exist_ok=True)
        write_file(self.path / "settings.json", settings.model_dump_json(indent=1) + "\n")

    def in_turn(self) -> list[str]:
        """The members, the one first that led when it was last reached. Raises ``NotConfigured``."""
        members, active = self.settings().members, self.active
        return sorted(members, key=lambda member: member != active)

    @property
    def active(self) -> str | None:
        """The member whose broker accepted the agent last."""
        try:
            return (self.path / "active").read_text().strip() or None
        except FileNotFoundError:
            return None

    def note_active(self, member: str) -> None:
        """That one's broker has accepted the agent."""
        if member != self.active:
            write_file(self.path / "active", f"{member}\n")


def write_file(path: Path, text: str) -> None:
    """Have the file with this content, or as it was, whenever the machine stops. Its mode is 0600."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(OWN_FILE)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
