"""What is imported before services are forked: what they have in common, and nothing that few of them use."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TIMEOUT_S = 60
LOADED = "import json, sys, tasks.preload; print(json.dumps(sorted(sys.modules)))"


@pytest.fixture(scope="module")
def loaded():
    done = subprocess.run(
        [sys.executable, "-c", LOADED], stdout=subprocess.PIPE, timeout=TIMEOUT_S, check=True, text=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ["tasks.actions", "tasks.formation", "tasks.tick", "celery.apps.worker"])
def test_what_a_worker_needs_is_there(loaded, module):
    assert module in loaded


NOBODY = ("requests", "urllib3", "charset_normalizer", "redis.asyncio.client", "yaml")
"""What libraries would bring along, and no service uses."""


@pytest.mark.parametrize("module", ["paramiko", "sqlalchemy", "fastapi", "aiohttp", "dsl_parser", *NOBODY])
def test_what_few_need_is_not(loaded, module):
    assert module not in loaded
