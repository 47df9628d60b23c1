from __future__ import annotations

import pytest

from orchestrator.formation.progress import INTERRUPTED, Progress
from orchestrator.paths import Paths


@pytest.fixture
def progress(tmp_path):
    return Progress(Paths(state=tmp_path / "state", run=tmp_path / "run"))


def messages(progress, since=None):
    return [line.message for line in progress.read(since)[0]]


def test_nothing_is_known_before_the_first_attempt(progress):
    assert progress.read() == ((), None)


def test_lines_are_read_after_a_cursor(progress):
    progress.begin("one")
    with progress.running():
        progress.say("two")
        progress.say("three")
        lines, error = progress.read()
        assert error is None
        assert [line.message for line in lines] == ["one", "two", "three"]
        assert all(isinstance(line.timestamp, int) and line.timestamp > 10**15 for line in lines)
        assert messages(progress, lines[0].cursor) == ["two", "three"]
        assert messages(progress, lines[-1].cursor) == []
        assert messages(progress, "nonsense") == ["one", "two", "three"]


def test_cursors_differ_and_grow(progress):
    progress.begin("0")
    with progress.running():
        for number in range(1, 50):
            progress.say(str(number))
    cursors = [int(line.cursor) for line in progress.read()[0]]
    assert cursors == sorted(set(cursors))
    assert len(cursors) == 50


def test_a_failure_is_told_until_the_next_attempt(progress):
    progress.begin("first")
    with progress.running():
        progress.fail("the leader is gone")
    assert progress.read()[1] == "the leader is gone"
    progress.begin("second")
    assert progress.read()[1] is None
    assert messages(progress) == ["second"]
    with progress.running():
        progress.finish()
    assert progress.read()[1] is None


def test_an_attempt_that_nobody_announced_forgets_the_one_before(progress):
    progress.begin("first")
    with progress.running():
        progress.fail("no")
    with progress.running():
        progress.say("second")
        assert progress.read()[1] is None
        assert messages(progress) == ["second"]


def test_work_that_ended_without_a_word_was_interrupted(progress):
    progress.begin("first")
    assert progress.read()[1] is None
    with progress.running():
        pass
    assert progress.read()[1] == INTERRUPTED
