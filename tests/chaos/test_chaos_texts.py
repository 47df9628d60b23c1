"""What a scenario may say, and that a seed always says the same. Nothing is started."""

from __future__ import annotations

import pytest

from tests.chaos import scenario, schedule
from tests.chaos.faults import FAULTS, Nonsense, understood


@pytest.mark.parametrize("name", scenario.names())
def test_a_scenario_is_understood_and_can_be_read_again(name):
    found = scenario.read(name)
    assert found.steps
    assert scenario.parse(name, found.text) == found


def test_the_same_seed_gives_the_same_schedule_and_another_one_another():
    assert schedule.mix(7, 30) == schedule.mix(7, 30)
    assert schedule.mix(7, 30).steps != schedule.mix(8, 30).steps


def test_half_an_hour_has_room_for_a_hundred_faults_of_nearly_all_kinds():
    deeds = [step.deed for step in schedule.mix(1, 30).steps if step.deed]
    assert len(deeds) >= 100
    assert len({deed.fault.name for deed in deeds}) >= len(FAULTS) - 5


def test_all_that_a_mix_can_say_is_understood():
    said = {step.says for seed in range(20) for step in schedule.mix(seed, 30).steps if step.deed}
    assert {understood(each).fault.name for each in said} >= set(FAULTS) - {"cut apart"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("at 1s make coffee", "nothing that can happen"),
        ("cut n1 from all", "is no step"),
        ("at 5s heal\nat 1s heal", "stands after"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(text, complaint):
    with pytest.raises(Nonsense, match=complaint):
        scenario.parse("wrong", text)


def test_a_scenario_ends_with_everything_healed_and_whole():
    says = [step.says for step in scenario.parse("short", "at 1s busy cores\nat 3s heal").steps]
    assert says == ["busy cores", "heal", "whole"]
