"""An operation ends when it is killed, when its time is over, and when its process dies; and is answered."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from manager.operations.killing import kill
from tests.support.long_operations import running_script, sleeping
from tests.support.operations import Bench, Place
from tests.support.processes import all_gone, is_there, parent_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


STARTER = """
import pathlib, subprocess

def run(ctx, folder, **_):
    started = [subprocess.Popen(["sleep", "300"]), subprocess.Popen(["sleep", "300"], start_new_session=True)]
    pathlib.Path(folder, "pids").write_text(" ".join(str(process.pid) for process in started))
    pathlib.Path(folder, "ready").touch()
    started[0].wait()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where an operation says that it runs."""
    tmp_path.chmod(0o777)
    return tmp_path


def test_a_kill_ends_the_script_and_what_it_has_started(place: Place, folder: Path) -> None:
    message, pids = running_script(place, folder)
    kill(place.bench.app, [message.task_id])
    answer = place.bench.answer(message)
    assert (answer.outcome, answer.recoverable, answer.error) == ("failed", False, "It was killed.")
    eventually(lambda: all_gone(pids), 10, "the script's processes end")
    assert place.run("manager.operations.builtin.nothing").outcome == "succeeded"


def test_a_kill_ends_what_a_function_has_started(place: Place, folder: Path) -> None:
    place.write({"x/starter.py": STARTER})
    message = place.message("starter.run", {"folder": str(folder)})
    place.bench.send(message)
    eventually((folder / "ready").exists, 30, "the operation runs")
    pids = [int(word) for word in (folder / "pids").read_text().split()]
    kill(place.bench.app, [message.task_id])
    assert place.bench.answer(message).error == "It was killed."
    eventually(lambda: all_gone(pids), 10, "its processes end")


def test_a_kill_ends_no_other_operation(place: Place, folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    other.chmod(0o777)
    message, _ = sleeping(place, folder)
    beside, pid = sleeping(place, other)
    kill(place.bench.app, [message.task_id])
    place.bench.answer(message)
    assert is_there(pid)
    kill(place.bench.app, [beside.task_id])
    place.bench.answer(beside)


def test_what_is_killed_before_it_begins_never_begins(place: Place, folder: Path) -> None:
    place.write({"x/touch.py": "def run(ctx, path, **_):\n    open(path, 'w')\n"})
    message = place.message("touch.run", {"path": str(folder / "ran")})
    kill(place.bench.app, [message.task_id])
    eventually(lambda: message.task_id in _revoked(place.bench), 10, "the worker knows")
    place.bench.send(message)
    place.run("manager.operations.builtin.nothing")
    assert (place.bench.state(message), (folder / "ran").exists()) == ("sending", False)


def _revoked(bench: Bench) -> list[str]:
    return [name for names in (bench.app.control.inspect(limit=1).revoked() or {}).values() for name in names]


@pytest.mark.parametrize("recoverable", [False, True])
def test_an_operation_that_takes_longer_than_its_timeout_is_ended(
    place: Place, folder: Path, recoverable: object
) -> None:
    message, pids = running_script(place, folder, timeout_s=3, timeout_recoverable=recoverable)
    answer = place.bench.answer(message)
    assert (answer.outcome, answer.recoverable) == ("failed", recoverable)
    assert answer.error == "It was ended after 3 s, which is its timeout."
    eventually(lambda: all_gone(pids), 10, "the script's processes end")


def test_a_process_that_dies_is_answered_and_replaced(place: Place, folder: Path) -> None:
    message, pid = sleeping(place, folder)
    os.kill(pid, signal.SIGKILL)
    answer = place.bench.answer(message)
    assert (answer.outcome, answer.recoverable) == ("failed", True)
    assert f"The process {pid} that ran it ended before it had answered" in str(answer.error)
    assert place.run("manager.operations.builtin.nothing").outcome == "succeeded"


def test_a_script_ends_with_its_process(place: Place, folder: Path) -> None:
    message, pids = running_script(place, folder)
    (parent,) = {parent_of(pid) for pid in pids} - set(pids)
    os.kill(parent_of(parent), signal.SIGKILL)
    assert place.bench.answer(message).recoverable
    eventually(lambda: all_gone(pids), 10, "the script's processes end")


def test_an_operation_that_ends_its_own_process_is_answered(place: Place) -> None:
    answer = place.python("import os; os._exit(7)")
    assert (answer.outcome, answer.recoverable) == ("failed", True)
