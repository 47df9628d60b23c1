"""Inputs as a user gives them: ``name=value;...``, JSON, or a YAML file."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from cli.options import Decorator

Inputs = dict[str, Any]

TYPES_HINT = """In NAME=VALUE all values are texts. Give numbers and the like as JSON: -i '{"port": 80}'"""


def _inputs(_ctx: click.Context, _param: click.Parameter, values: Iterable[str]) -> Inputs:
    inputs: Inputs = {}
    for value in values:
        inputs |= parse(value)
    return inputs


def option(what: str = "inputs") -> Decorator:
    """``-i``, or the first letter of ``what``: values, together as one mapping; what is given later wins."""
    return click.option(
        *(f"-{what[0]}", f"--{what}", what),
        multiple=True,
        callback=_inputs,
        metavar="INPUTS",
        help=f"The {what}: NAME=VALUE;NAME=VALUE (all values are texts), JSON, or a YAML file (or a pattern "
        "of several). Repeat it for more; the last one wins.",
    )


def parse(text: str) -> Inputs:
    """One ``-i``. Raises ``click.BadParameter``."""
    if files := sorted(glob.glob(text)):  # noqa: PTH207 -- The pattern may be absolute.
        inputs: Inputs = {}
        for file in files:
            inputs |= _from_file(Path(file))
        return inputs
    if text.lstrip().startswith("{"):
        return _mapping(text, "It")
    return dict(_pair(piece, text) for piece in text.split(";") if piece.strip())


def _pair(piece: str, text: str) -> tuple[str, str]:
    name, separator, value = piece.partition("=")
    if not separator or not name.strip():
        raise click.BadParameter(
            f"{text!r} is neither a file nor of the form NAME=VALUE;NAME=VALUE{_wrong_at(piece, text)}."
        )
    return name.strip(), value.strip()


def _wrong_at(piece: str, text: str) -> str:
    return "" if piece == text else f" (wrong at {piece.strip()!r})"


def _from_file(file: Path) -> Inputs:
    try:
        content = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{file} cannot be read: {error}") from error
    return _mapping(content, str(file))


def _mapping(text: str, where: str) -> Inputs:
    import yaml

    try:
        # Every JSON text is YAML, too.
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise click.BadParameter(f"{where} is neither YAML nor JSON: {error}") from error
    content = {} if content is None else content
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise click.BadParameter(f"{where} has to map names to values, as in: port: 8080")
    # A date, which JSON does not know, is sent as the text that it is.
    inputs: Inputs = json.loads(json.dumps(content, default=str))
    return inputs
