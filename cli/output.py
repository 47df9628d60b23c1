"""What the user sees: tables for people and for pipes, JSON for programs, progress on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from cli.settings import Settings

Rows = Sequence[Mapping[str, Any]]

Transferred = Callable[[int, int | None], None]
"""Is told how many bytes have been transferred, and of how many (None: that is not known)."""

STYLES = {
    "leader": "bold green",
    "replica": "cyan",
    "offline": "bold red",
    "ok": "green",
    "failed": "bold red",
    "running": "green",
    "down": "bold red",
    "remote": "dim",
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
            _print_rich(rows, columns)
        else:
            click.echo(plain_table(rows, columns))

    def gap(self) -> None:
        """An empty line between two results; a table in a terminal brings its own."""
        if not self.settings.json and not sys.stdout.isatty():
            click.echo()

    def details(self, record: Mapping[str, Any], data: Any = None) -> None:
        """Print one thing, a line per property."""
        if self.settings.json:
            self.json(record if data is None else data)
            return
        record = {key: value for key, value in record.items() if value is not None}
        width = max(map(len, record), default=0)
        for key, value in record.items():
            styled = _ansi(text_of(value)) if sys.stdout.isatty() else text_of(value)
            click.echo(f"{click.style(f'{key:<{width}}', bold=True)}  {styled}".rstrip())


def text_of(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={text_of(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value))
    return str(value)


def plain_table(rows: Rows, columns: Sequence[str]) -> str:
    """A table for pipes: aligned, nothing cut off, two spaces or more between the columns."""
    lines = [
        list(columns),
        *([text_of(row.get(column)) for column in columns] for row in rows),
    ]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def rich_table(rows: Rows, columns: Sequence[str]) -> Any:
    """A table for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = (text_of(row.get(column)) for column in columns)
        table.add_row(*(Text(cell, style=STYLES.get(cell.lower(), "")) for cell in cells))
    return table


def _progress_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    return Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True), transient=True)


def _print_rich(rows: Rows, columns: Sequence[str]) -> None:
    from rich.console import Console

    Console().print(rich_table(rows, columns))


def _ansi(text: str) -> str:
    words = STYLES.get(text.lower(), "").split()
    colours = [word for word in words if word not in {"bold", "dim"}]
    return click.style(text, fg=colours[0] if colours else None, bold="bold" in words or None)
