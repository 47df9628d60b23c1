"""Replicas are missed when nobody has been well for a while, not at the first look."""

from __future__ import annotations

import pytest

from manager.gateway import files


@pytest.fixture
def clock(monkeypatch):
    at = [100.0]
    monkeypatch.setattr(files, "now_s", lambda: at[0])
    return at


def test_members_whose_heartbeats_consul_has_not_heard_of_yet_are_waited_for(clock):
    absence = files._Absence(3.0)
    assert not absence.is_too_long(well=False)
    clock[0] += 2.9
    assert not absence.is_too_long(well=False)
    clock[0] += 0.1
    assert absence.is_too_long(well=False)


def test_whoever_was_well_in_between_begins_it_anew(clock):
    absence = files._Absence(3.0)
    assert not absence.is_too_long(well=False)
    clock[0] += 2.9
    assert not absence.is_too_long(well=True)
    clock[0] += 2.9
    assert not absence.is_too_long(well=False)
