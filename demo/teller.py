"""What the demo says: one line per step, with what is going on now below it when somebody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


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
        self.console.print(f"  [bold cyan]$ {escape(words)}[/]", soft_wrap=True)

    def output(self, line: str) -> None:
        """A line that a command has printed."""
        self.console.print(f"    [dim]{escape(line)}[/]", soft_wrap=True)

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Something that takes a while: shown while it goes on, and how long it took when it is done."""
        started_s = time.monotonic()
        with self.console.status(f"{escape(doing)} ..."):
            yield
        self.console.print(f"  [green]✓[/] {escape(doing)} [dim]{time.monotonic() - started_s:.1f} s[/]")

    def fail(self, message: str) -> None:
        """Say what went wrong."""
        self.console.print(f"[bold red]✗[/] {escape(message)}")
