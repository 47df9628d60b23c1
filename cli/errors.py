"""What the command line tells its user when something is wrong: a message, a hint, an exit code.

::

    CliError                 1   the manager refused, or what was asked for failed
    ├── Rejected             1   a manager answered with an error
    │   └── Denied           4   wrong credentials, or not allowed
    ├── NoProfile            2   there is no profile to work with
    ├── NoManager            3   no manager could be reached, or none of them leads
    ├── NoCredentials        4   there is no password, and nobody to ask for it
    ├── TimedOut             5   what was asked for goes on, but waiting for it took too long
    ├── NodeUnreachable      3   (cfy_manager) the node's own broker or worker does not answer
    ├── Unexpected           1   a mistake in this program
    ├── Interrupted        130   by the user
    └── WrongUsage           2   the command line cannot be understood
"""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any

import click

from cli.settings import Settings

NOT_LEADER = "not_cluster_master"
REMOVED = "removed_from_cluster"
REINSTALL = "A removed manager has to be installed anew before it can be used again."
RUNNING = "existing_running_execution_error"


class CliError(click.ClickException):
    """The root: a message, a hint that says what to do about it, and an exit code."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.settings = Settings()

    def as_dict(self) -> dict[str, Any]:
        """The error for ``--json``."""
        return {"message": self.message, "hint": self.hint, "exit_code": self.exit_code}

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the error to standard error; with ``-vv`` also where in the code it came from."""
        if self.settings.verbosity >= Settings.SHOW_TRACEBACK:
            click.echo("".join(traceback.format_exception(self)), file=file, err=True)
        if self.settings.json:
            click.echo(json.dumps({"error": self.as_dict()}, indent=2), file=file, err=True)
            return
        click.echo(click.style("Error: ", fg="red", bold=True) + self.message, file=file, err=True)
        if self.hint:
            click.echo(click.style("Hint:  ", fg="cyan") + self.hint, file=file, err=True)


class Rejected(CliError):
    """A manager has answered with an error.

    ``after_drop``: the connection to another member had broken while it was carrying out the same request.
    """

    def __init__(self, status: int, error_code: str, message: str, *, after_drop: bool = False) -> None:
        super().__init__(message, _hint_for(status, error_code))
        self.status = status
        self.error_code = error_code
        self.after_drop = after_drop

    def as_dict(self) -> dict[str, Any]:
        """The error for ``--json``, with what the manager called it."""
        return super().as_dict() | {"status": self.status, "error_code": self.error_code}


class Denied(Rejected):
    """A manager does not know the user, or does not allow this to the user."""

    exit_code = 4


def _hint_for(status: int, error_code: str) -> str | None:
    if status == HTTPStatus.UNAUTHORIZED:
        return (
            "Correct the credentials of the profile: cfy profiles set --username NAME --password, or --token"
        )
    if status == HTTPStatus.FORBIDDEN:
        return "The user's role does not allow this, or the tenant does not exist: cfy profiles show-current"
    if error_code == RUNNING:
        return "--queue waits for what is in the way; --force starts beside it, where that is possible."
    if error_code == REMOVED:
        return REINSTALL
    return None


class NoProfile(CliError):
    """There is no profile to work with."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one member did not do what it was asked for. ``error_code`` is None when it did not answer."""

    address: str
    reason: str
    error_code: str | None = None
    sent: bool = False


class NoManager(CliError):
    """Nobody among the members of the profile both answered and leads."""

    exit_code = 3

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__("\n".join([_headline(failures), *_details(failures)]), _rotation_hint(failures))
        self.failures = failures

    @property
    def may_be_done(self) -> bool:
        """Whether the request has reached a member, whose connection then broke."""
        return any(failure.sent for failure in self.failures)

    def all_say(self, error_code: str | None) -> bool:
        """Whether every member gave this one answer (None: no answer at all)."""
        return all(failure.error_code == error_code for failure in self.failures)

    def as_dict(self) -> dict[str, Any]:
        """The error for ``--json``, with what each member answered."""
        asked = [
            {"address": it.address, "error_code": it.error_code, "reason": it.reason} for it in self.failures
        ]
        return super().as_dict() | {"asked": asked}


def _headline(failures: list[Failure]) -> str:
    codes = {failure.error_code for failure in failures}
    if codes == {None}:
        return "No manager could be reached. Asked:"
    if codes == {REMOVED}:
        return "This manager was removed from its cluster. Asked:"
    return "No manager leads the cluster at this moment. Asked:"


def _details(failures: list[Failure]) -> list[str]:
    width = max(len(failure.address) for failure in failures)
    lines = [f"  {failure.address:<{width}}  {failure.reason}" for failure in failures]
    if any(failure.sent for failure in failures):
        lines.append("The connection broke after the request was sent: it may have been carried out.")
    return lines


def _rotation_hint(failures: list[Failure]) -> str:
    if {failure.error_code for failure in failures} == {REMOVED}:
        return REINSTALL
    if any("certificate" in failure.reason for failure in failures):
        return "Name the CA that signed the managers' certificates: cfy profiles set --ssl-ca-file FILE"
    if any(failure.error_code == NOT_LEADER for failure in failures):
        return (
            "An election takes seconds: try again. If it stays like this, the profile may lack members: "
            "cfy profiles use <another member>, then cfy cluster update-profile"
        )
    return "Check the address, the port and the protocol of the profile: cfy profiles show-current"


class NoCredentials(CliError):
    """There is no password, and nobody to ask for it."""

    exit_code = 4


class TimedOut(CliError):
    """What was asked for goes on, but waiting for it took too long."""

    exit_code = 5


class NodeUnreachable(CliError):
    """The node's own broker or worker does not answer."""

    exit_code = 3


class WrongUsage(CliError):
    """Click's own complaint about the command line, in the form that ``--json`` promises."""

    exit_code = 2

    def __init__(self, error: click.UsageError) -> None:
        where = error.ctx.command_path if error.ctx else "cfy"
        super().__init__(error.format_message(), f"See {where} --help")


class Unexpected(CliError):
    """A mistake in this program; never the user's."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"This should not have happened: {type(error).__name__}: {error}",
            "Run again with -vv for details.",
        )


class Interrupted(CliError):
    """The user has pressed Ctrl-C."""

    exit_code = 130

    def __init__(
        self, message: str = "Interrupted. What a manager has begun goes on there.", hint: str | None = None
    ) -> None:
        super().__init__(message, hint)
