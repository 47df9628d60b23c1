from __future__ import annotations

from datetime import UTC, datetime

import pytest

from demo.phases import phases

FAULT = 1_700_000_000.0


def entry(kind, after_s):
    at = datetime.fromtimestamp(FAULT + after_s, UTC)
    return {"kind": kind, "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def test_each_phase_ends_where_the_next_begins():
    history = [entry("promoted", 0.9), entry("elected", 0.7), entry("lease_free", 0.5), entry("serving", 1.0)]
    spent = phases(history, FAULT, FAULT + 1.1)
    assert spent == pytest.approx({"detection": 0.5, "election": 0.2, "promotion": 0.2, "first write": 0.2})


def test_what_is_not_told_is_part_of_the_next_phase():
    assert phases([entry("promoted", 0.9)], FAULT, FAULT + 1) == pytest.approx(
        {"promotion": 0.9, "first write": 0.1}
    )
    assert phases([], FAULT, FAULT + 1) == {"first write": 1}


def test_what_happened_before_the_fault_does_not_count():
    assert phases([entry("elected", -5), entry("elected", 7)], FAULT, FAULT + 1) == {"first write": 1}


def test_a_second_entry_of_a_kind_does_not_count():
    history = [entry("elected", 0.4), entry("elected", 0.6)]
    assert phases(history, FAULT, FAULT + 1) == pytest.approx({"election": 0.4, "first write": 0.6})
