"""A transfer shows a bar to a person, and nothing to a program."""

from __future__ import annotations

import io
import sys

import pytest

from cli.output import Output
from cli.settings import Settings


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, stream, settings):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with Output(settings).transfer("Uploading web.tar.gz") as transferred:
        transferred(500_000, 1_000_000)
    return stream.getvalue()


def test_a_terminal_sees_how_far_it_is(monkeypatch):
    text = shown(monkeypatch, Terminal(), Settings())
    assert "Uploading web.tar.gz" in text
    assert "0.5/1.0 MB" in text


@pytest.mark.parametrize(
    ("stream", "settings"),
    [
        (io.StringIO(), Settings()),
        (Terminal(), Settings(json=True)),
        (Terminal(), Settings(quiet=True)),
    ],
)
def test_nobody_else_does(monkeypatch, stream, settings):
    assert not shown(monkeypatch, stream, settings)
