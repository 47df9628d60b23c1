"""The REST service does without large libraries: each manager has one, and little memory."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("celery", "kombu", "paramiko", "networkx", "aiohttp", "yaml", "dsl_parser", "requests", "cloudify")


def test_a_service_that_has_just_started_has_imported_nothing_large():
    program = "import manager.__main__, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert [name for name in HEAVY if name in loaded] == []
