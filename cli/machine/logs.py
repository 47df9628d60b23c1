"""``cfy_manager logs``: what all services of this node say, as one log."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from cli.command import Group
from cli.errors import CliError
from cli.machine import bundle, journal
from cli.machine.log_files import FollowedFolder, Wanted, last_lines, log_files
from cli.machine.log_lines import Line, merged
from cli.machine.node import Node, pass_node
from cli.output import Output

DEFAULT_LOG_FOLDER = "/var/log/cloudify"
POLL_S = 0.25
UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Since(click.ParamType[float]):
    """A moment, as Unix time: so long ago, a day, or a day and a time of the day."""

    name = "since"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it. A moment without a time zone is one of this machine's."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        if found := re.fullmatch(r"(\d+)\s*([smhd])", text):
            return time.time() - int(found[1]) * UNIT_S[found[2]]
        try:
            return datetime.fromisoformat(text).timestamp()
        except ValueError:
            self.fail(f"{text!r} is neither like 30s, 10m, 2h, 1d nor like '2026-11-23 09:30'.", param, ctx)


@click.group("logs", cls=Group, invoke_without_command=True)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is said from now on, until Ctrl-C.")
@click.option(
    *("-n", "--lines", "last"),
    default=100, show_default=True, type=click.IntRange(min=1), help="How many lines of the end.",
)  # fmt: skip
@click.option(
    "--since", type=Since(), default=0.0, metavar="TIME", help="Since 10m, 2h, 1d ago, or '2026-11-23 09:30'."
)
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.pass_context
def group(ctx: click.Context, /, follow: bool, last: int, since: float, services: tuple[str, ...]) -> None:
    """Show what all services of this node say, in the order of time.

    The main log, with plans and their outcomes, is called cluster; each other service has its own name. It
    needs no service to run.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(_show, wanted=Wanted(last, since, frozenset(services)), follow=follow)


@pass_node
def _show(node: Node, /, wanted: Wanted, *, follow: bool) -> None:
    folder = log_folder(node)
    shown = _Shown(node.out)
    with ExitStack() as stack:
        found = _files(folder)
        units = journal.journal_services()
        _check(wanted, frozenset(found) | units)
        units = frozenset(filter(wanted.of, units))
        # What is said while the past is read is not lost, so it is followed before.
        files = FollowedFolder(folder, wanted) if follow else None
        entries = journal.FollowedJournal(units) if follow and units else None
        if entries:
            stack.callback(entries.close)
        named = {name: paths for name, paths in found.items() if wanted.of(name)}
        past = [last_lines(name, path, wanted) for name, paths in named.items() for path in paths]
        past += [journal.last_entries(units, wanted)] if units else []
        shown.show(list(merged(past))[-wanted.last :])
        if files:
            # Ctrl-C is the usual end of it.
            with suppress(KeyboardInterrupt):
                _follow(files, entries, shown)


def _follow(files: FollowedFolder, entries: journal.FollowedJournal | None, shown: _Shown) -> None:
    while True:
        time.sleep(POLL_S)
        said = files.new_lines() + ([entries.new_lines()] if entries else [])
        shown.show(list(merged(said)))


def log_folder(node: Node) -> Path:
    """Where this node's logs are; with a configuration that cannot be read, where they usually are."""
    try:
        return Path(node.config.get("paths", {}).get("log", DEFAULT_LOG_FOLDER))
    except CliError as error:
        node.out.progress(f"{error.message} So the logs are looked for in {DEFAULT_LOG_FOLDER}.")
        return Path(DEFAULT_LOG_FOLDER)


def _files(folder: Path) -> dict[str, list[Path]]:
    try:
        return dict(log_files(folder))
    except PermissionError as error:
        raise CliError(f"{folder}: {error.strerror}", "Run this as root.") from error
    except OSError as error:
        raise CliError(
            f"{folder}: {error.strerror}", "Is a manager installed here? cfy_manager install makes one."
        ) from error


def _check(wanted: Wanted, known: frozenset[str]) -> None:
    if unknown := sorted(wanted.services - known):
        raise CliError(
            f"No service {', '.join(map(repr, unknown))} has a log here.",
            f"There are: {', '.join(sorted(known))}",
        )


class _Shown:
    """What was shown already is not shown again: the past and what follows overlap."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._last: frozenset[Line] = frozenset()

    def show(self, lines: list[Line]) -> None:
        for line in lines:
            if line not in self._last:
                self._put(line)
        if lines:
            self._last = frozenset(lines)

    def _put(self, line: Line) -> None:
        moment = datetime.fromtimestamp(line.at_s, UTC)
        if self._out.settings.json:
            self._out.json_line({"at": moment.isoformat(), "service": line.service, "text": line.text})
            return
        clock = moment.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        service = click.style(f"{line.service:<14}", fg="cyan")
        self._out.line(f"{click.style(clock, dim=True)}  {service}  {line.text}")


group.add_command(bundle.command)
