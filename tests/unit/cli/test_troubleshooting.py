"""What ``docs/how-to/troubleshoot.md`` says that a log or a command says, the code does say."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "how-to" / "troubleshoot.md"
PACKAGES = ("orchestrator", "tasks", "manager", "cli", "installer", "agent", "demo")
SECTIONS = ("## What the log says", "## A command is refused")
SHORT = 7

VARIABLE = re.compile(
    r"\.\.\.|\bn\d\b(?:, n\d\b)*|'[^']*'|\b\d[\d.:]*\b|\[cut_off\]|<[^>]*>"
    r"|(?<=certificate )node|(?<=queue )health|(?<=The )version|(?<=reached by )\w+"
)
"""What differs from line to line."""

BETWEEN = re.compile(r": |, |; |\(|\)|, (?=k = )|(?<=old leader) ")
"""Where the code may put a line together."""

OF_OTHERS = {"No cluster leader", "certificate has expired"}
"""What Consul and OpenSSL say."""


def told() -> list[str]:
    """The first cells of the tables of these sections, as far as they quote a line."""
    text = PAGE.read_text()
    rows = [row for name in SECTIONS for row in text.split(name)[1].split("\n## ")[0].splitlines()]
    cells = [row.split(" | ")[0] for row in rows if row.startswith("| ")]
    return [quoted for cell in cells for quoted in re.findall(r"`([^`]+)`", cell) if fixed_parts(quoted)]


@cache
def said() -> str:
    """All texts in the code; the fixed parts of those that are put together at run time."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    files.append(ROOT / "scripts" / "install-packages.sh")
    texts = []
    for path in files:
        if path.suffix != ".py":
            texts.append(path.read_text())
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Constant(value=str(text)) | ast.ClassDef(name=text):
                    texts.append(text)
    return "\n".join(texts)


def fixed_parts(line: str) -> list[str]:
    """The parts of a line that are the same in each of its kind."""
    parts = [part.strip(" .-") for whole in VARIABLE.split(line) for part in BETWEEN.split(whole)]
    return [part for part in parts if len(part) >= SHORT and part not in OF_OTHERS]


@pytest.mark.parametrize("line", told())
def test_a_line_that_an_operator_looks_up_is_one_that_is_said(line):
    assert [part for part in fixed_parts(line) if part not in said()] == []
