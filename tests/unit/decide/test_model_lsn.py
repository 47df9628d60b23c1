"""Positions: how they are written, which is ahead, and who shares whose history."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.lsn import Fork, Lsn, Position, shares_history, was_led

lsns = st.integers(0, 2**64 - 1).map(Lsn)


@given(lsns)
def test_what_is_written_can_be_read(lsn):
    assert Lsn.parse(str(lsn)) == lsn


def test_postgresqls_notation():
    assert Lsn.parse("0/16B3748") == Lsn(0x16B3748)
    assert str(Lsn.parse("1/0")) == "1/0"
    assert Lsn.parse("A/FFFFFFFF") < Lsn.parse("B/0")


@pytest.mark.parametrize("text", ["", "16B3748", "0/", "x/y"])
def test_nothing_else_is_read(text):
    with pytest.raises(ValueError, match=r"LSN|invalid literal"):
        Lsn.parse(text)


def test_term_then_timeline_then_lsn():
    ordered = [
        Position(3, Lsn(9), term=1),
        Position(1, Lsn(9), term=2),
        Position(2, Lsn(1), term=2),
        Position(2, Lsn(2), term=2),
    ]
    assert sorted([ordered[2], ordered[0], ordered[3], ordered[1]]) == ordered
    assert max(ordered) == ordered[-1]
    assert ordered[0] <= ordered[0] < ordered[1]


def test_a_position_says_where_it_is():
    assert str(Position(2, Lsn(0x16B3748))) == "2@0/16B3748"


FORKS = (Fork(1, Lsn(100)), Fork(2, Lsn(200)))


@pytest.mark.parametrize(
    ("timeline", "lsn", "shared"),
    [
        (3, 500, True),
        (1, 99, True),
        (1, 100, True),
        (1, 101, False),
        (2, 200, True),
        (2, 201, False),
        (4, 1, False),
    ],
)
def test_shared_history(timeline, lsn, shared):
    assert shares_history(Position(timeline, Lsn(lsn)), 3, FORKS) == shared


def test_only_the_marks_tell_two_timelines_of_one_number_apart():
    terms = ((7, 2), (5, 1))
    assert was_led(Position(2, Lsn(1), term=7), terms)
    assert was_led(Position(1, Lsn(1), term=5), terms)
    assert not was_led(Position(2, Lsn(1), term=6), terms)  # Promoted in a term of which nothing became.
    assert not was_led(Position(2, Lsn(1), term=5), terms)  # Promoted, and killed before it left its mark.
