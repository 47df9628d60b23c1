"""What the user sees: tables for people and for pipes, JSON for programs, progress on standard error."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from cli.settings import Settings
from cli.tables import Rows, fitted_table, plain_table, text_of

Transferred = Callable[[int, int | None], None]
"""Is told how many bytes have been transferred, and of how many (None: that is not known)."""

STYLES: Mapping[str, Mapping[str, Any]] = {
    "leader": {"fg": "green", "bold": True},
    "replica": {"fg": "cyan"},
    "offline": {"fg": "red", "bold": True},
    "ok": {"fg": "green"},
    "failed": {"fg": "red", "bold": True},
    "running": {"fg": "green"},
    "down": {"fg": "red", "bold": True},
    "remote": {"dim": True},
    "ends soon": {"fg": "yellow", "bold": True},
    "ended": {"fg": "red", "bold": True},
}


class Output:
    """Prints results to standard output, and everything else to standard error."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def progress(self, message: str, at_s: float | None = None) -> None:
        """Say what is going on; ``at_s`` (Unix time) is when it happened, if that is known."""
        if self.settings.quiet or self.settings.json:
            return
        clock = time.strftime("%H:%M:%S", time.localtime(at_s))
        click.echo(f"{click.style(clock, dim=True)}  {message}", err=True)

    @contextmanager
    def transfer(self, label: str) -> Iterator[Transferred]:
        """Show how far a transfer is: a bar on a terminal, and nothing anywhere else."""
        if self.settings.quiet or self.settings.json or not sys.stderr.isatty():
            yield lambda _done, _total: None
            return
        bar = _progress_bar()
        task = bar.add_task(label, total=None)
        with bar:
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def trace(self, message: str) -> None:
        """Say what is sent and answered, for who asked for it with ``-v``."""
        if self.settings.verbosity >= Settings.SHOW_REQUESTS:
            click.echo(click.style(message, dim=True), err=True)

    def warn(self, message: str, *, urgent: bool = False) -> None:
        """Say what somebody should do something about, also to a program's user."""
        click.echo(click.style(message, fg="red" if urgent else "yellow", bold=True), err=True)

    def done(self, message: str, data: Any) -> None:
        """The result of a command that changes something: a sentence, or its data as JSON."""
        if self.settings.json:
            self.json(data)
        elif not self.settings.quiet:
            click.echo(message)

    def json(self, data: Any) -> None:
        """Print data as JSON."""
        click.echo(json.dumps(data, indent=2, default=str))

    def json_line(self, data: Any) -> None:
        """Print data as JSON on a line of its own: one of many that come one by one."""
        click.echo(json.dumps(data, default=str))

    def line(self, text: str) -> None:
        """Print one result of many that come one by one."""
        click.echo(text.rstrip())

    def table(self, rows: Rows, columns: Sequence[str], *, data: Any = None, empty: str = "Nothing.") -> None:
        """Print one line per row; with ``--json`` print ``data`` (default: the rows) instead."""
        if self.settings.json:
            self.json(rows if data is None else data)
        elif not rows:
            self.done(empty, None)
        elif sys.stdout.isatty():
            _print_fitted(rows, columns)
        else:
            click.echo(plain_table(rows, columns))

    def gap(self) -> None:
        """An empty line between two results."""
        if not self.settings.json:
            click.echo()

    def details(self, record: Mapping[str, Any], data: Any = None) -> None:
        """Print one thing, a line per property."""
        if self.settings.json:
            self.json(record if data is None else data)
            return
        texts = {key: text_of(value) for key, value in record.items() if value is not None}
        width = max(map(len, texts), default=0)
        for key, text in texts.items():
            name = click.style(f"{key:<{width}}" if text else key, bold=True)
            click.echo(f"{name}  {_ansi(text, text)}" if text else name)


def _progress_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    return Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True), transient=True)


def _print_fitted(rows: Rows, columns: Sequence[str]) -> None:
    fitted = fitted_table(rows, columns, shutil.get_terminal_size().columns, _paint)
    click.echo(fitted.text)
    if fitted.left_out:
        names = ", ".join(fitted.left_out)
        click.echo(click.style(f"Not shown for want of room: {names}. --json shows all.", dim=True), err=True)


def _paint(text: str, cell: str | None) -> str:
    return click.style(text, bold=True) if cell is None else _ansi(text, cell)


def _ansi(text: str, cell: str) -> str:
    style = STYLES.get(cell.lower())
    return click.style(text, **style) if style and text else text
