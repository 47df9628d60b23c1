"""Operations end with their worker, however that ends: whoever leads next may start them again."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.long_operations import running_script, sleeping
from tests.support.operations import Bench
from tests.support.processes import all_gone
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where an operation says that it runs."""
    tmp_path.chmod(0o777)
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_ends_takes_its_operations_with_it(
    quiet_bench: Bench, folder: Path, number: signal.Signals
) -> None:
    with quiet_bench.worker() as worker:
        place = quiet_bench.place()
        _, pid = sleeping(place, folder)
        scripts = folder / "scripts"
        scripts.mkdir()
        scripts.chmod(0o777)
        _, pids = running_script(place, scripts)
        worker.send_signal(number)
        worker.wait(20)
        eventually(lambda: all_gone([pid, *pids]), 10, "their processes end")
