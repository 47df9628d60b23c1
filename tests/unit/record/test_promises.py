import pytest

from orchestrator.model.errors import StaleRound
from orchestrator.model.snapshot import Promise
from orchestrator.record import promises


def test_a_node_without_a_file_has_promised_nothing(tmp_path):
    assert promises.read(tmp_path / "promise.json") == Promise()


def test_a_promise_survives_a_restart_and_only_grows(tmp_path):
    path = tmp_path / "promise.json"
    promises.promise_round(path, 40)
    promises.promise_round(path, 41)
    promises.promise_round(path, 41)
    assert promises.read(path).round == 41
    with pytest.raises(StaleRound, match="older than round 41"):
        promises.promise_round(path, 40)
    assert promises.read(path).round == 41


def test_stepping_down_and_promising_do_not_forget_each_other(tmp_path):
    path = tmp_path / "promise.json"
    promises.promise_round(path, 7)
    promises.remember_stepping_down(path, 3)
    promises.promise_round(path, 8)
    assert promises.read(path) == Promise(round=8, stepped_down=3)


def test_a_promise_that_cannot_be_read_is_not_taken_for_none(tmp_path):
    path = tmp_path / "promise.json"
    path.write_text("half a fi")
    with pytest.raises(ValueError, match="Expecting value"):
        promises.read(path)
