"""What the demo says: one line per step, with what is going on now below it when somebody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding


class Teller:
    """Tells a story on a terminal, or into a file."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)

    def title(self, text: str) -> None:
        """Begin a chapter."""
        self.console.print(f"\n[bold]{escape(text)}[/]")

    def say(self, text: str) -> None:
        """A line of the story; it may hold rich's markup."""
        self.console.print(text)

    def command(self, words: str) -> None:
        """A command that is run now, as one could type it."""
        self._print(f"[bold cyan]$ {escape(words)}[/]", indent=2)

    def output(self, line: str) -> None:
        """A line that a command has printed."""
        self._print(f"[dim]{escape(line)}[/]", indent=4)

    def _print(self, text: str, indent: int) -> None:
        """Print what a command says: broken between words on a terminal, and not at all into a file."""
        if self.console.is_terminal:
            self.console.print(Padding.indent(text, indent))
        else:
            self.console.print(" " * indent + text, soft_wrap=True)

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Something that takes a while: shown while it goes on, and how long it took when it is done."""
        started_s = time.monotonic()
        with self.console.status(f"{escape(doing)} ..."):
            yield
        self.console.print(f"  [green]✓[/] {escape(doing)} [dim]{time.monotonic() - started_s:.1f} s[/]")

    def fail(self, message: str) -> None:
        """Say what went wrong."""
        self.console.print(f"[bold red]✗[/] {escape(message)}", soft_wrap=True)
