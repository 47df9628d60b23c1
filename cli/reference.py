"""Writes the reference of both command lines, from the commands themselves: ``python -m cli.reference``.

With ``--check`` it writes nothing, and fails when the page no longer says what the commands say.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from cli import cfy, cfy_manager
from cli.command import common_options

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"

INTRODUCTION = """# Command line reference

<!-- Written by python -m cli.reference from the commands themselves. Change those. -->

These options may stand anywhere in a command:

"""

PROGRAMS = {"cfy": cfy.main, "cfy_manager": cfy_manager.main}


def reference() -> str:
    """The whole page."""
    parts = [INTRODUCTION + _options(common_options()).lstrip("\n")]
    for name, program in PROGRAMS.items():
        parts += _sections(program, click.Context(program, info_name=name), depth=2)
    return "\n".join(parts).rstrip() + "\n"


def _sections(command: click.Command, context: click.Context, depth: int) -> Iterator[str]:
    yield _section(command, context, depth)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                inner = click.Context(child, info_name=name, parent=context)
                yield from _sections(child, inner, min(depth + 1, 4))


def _section(command: click.Command, context: click.Context, depth: int) -> str:
    known = {option.name for option in common_options()} | {"help"}
    options = [it for it in command.params if isinstance(it, click.Option) and it.name not in known]
    title = f"{'#' * depth} `{context.command_path}`\n"
    if isinstance(command, click.Group):
        return title + _prose(command) + _options(options)
    usage = " ".join(command.collect_usage_pieces(context))
    return title + _prose(command) + f"\n    {context.command_path} {usage}\n" + _options(options)


def _prose(command: click.Command) -> str:
    """The help; what Click is told to leave as it is becomes a block."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "".join("\n" + _paragraph(text) + "\n" for text in paragraphs)


def _paragraph(text: str) -> str:
    if not text.startswith("\b"):
        return text.replace("<", "&lt;")
    title, *lines = text.removeprefix("\b\n").splitlines()
    return "\n".join([title, "", *(f"    {line.strip()}" for line in lines)])


def _options(options: list[click.Parameter] | list[click.Option]) -> str:
    context = click.Context(click.Command("any"))
    rows = [record for option in options if (record := option.get_help_record(context))]
    if not rows:
        return ""
    lines = [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in rows]
    return "\n".join(["", "| option | meaning |", "|---|---|", *lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Write the page, or check it."""
    page = reference()
    if "--check" not in sys.argv[1:]:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page)
    elif not PAGE.exists() or PAGE.read_text() != page:
        sys.exit(f"{PAGE.name} is out of date: run python -m cli.reference")


if __name__ == "__main__":
    main()
