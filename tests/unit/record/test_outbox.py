import pytest

from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.history import HistoryEntry
from orchestrator.record import outbox


def entry(summary):
    return HistoryEntry(at=1.5, node="n1", kind="elected", summary=summary, term=3)


def test_what_was_left_is_told_once_in_order(tmp_path):
    told, path = [], tmp_path / "outbox.jsonl"
    outbox.put(path, entry("first"))
    outbox.put(path, entry("second"))
    outbox.deliver(path, told.append)
    outbox.deliver(path, told.append)
    assert told == [entry("first"), entry("second")]


def test_what_could_not_be_told_stays_for_the_next_time(tmp_path):
    told, path = [], tmp_path / "outbox.jsonl"

    def tell_one_only(line):
        if told:
            raise ConsulUnavailable("electing")
        told.append(line)

    outbox.put(path, entry("first"))
    outbox.put(path, entry("second"))
    with pytest.raises(ConsulUnavailable):
        outbox.deliver(path, tell_one_only)
    outbox.put(path, entry("third"))
    outbox.deliver(path, told.append)
    outbox.deliver(path, told.append)
    assert told == [entry("first"), entry("second"), entry("third")]
