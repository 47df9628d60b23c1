"""Node options arrive as text, and are refused with what would be right."""

from __future__ import annotations

import pytest

from orchestrator.model.errors import BadOption
from orchestrator.model.spec import OPTION_TYPES, Options


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("check_ttl_multiplier", "2.5", 2.5),
        ("check_ttl_multiplier", 3, 3.0),
        ("check_fail_fast", "no", False),
        ("check_fail_fast", "TRUE", True),
        ("check_fail_fast", False, False),
        ("consul_raft_multiplier", "5", 5),
        ("minority_mode", "offline", "offline"),
        ("heal_policy", "majority", "majority"),
        ("sync_mode", "async", "async"),
    ],
)
def test_good_values(name, text, value):
    assert getattr(Options().updated({name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("check_ttl_multiplier", "0.1", "a number from 0.5 to 100"),
        ("check_ttl_multiplier", "nan", "a number"),
        ("check_ttl_multiplier", "fast", "a number"),
        ("check_fail_fast", "maybe", "true or false"),
        ("consul_raft_multiplier", "1.5", "a whole number from 1 to 10"),
        ("sync_mode", "sometimes", "one of quorum, async"),
    ],
)
def test_bad_values_are_refused_with_what_is_expected(name, text, expected):
    with pytest.raises(BadOption, match=expected):
        Options().updated({name: text})


def test_an_unknown_name_is_refused_with_all_that_are_known():
    with pytest.raises(BadOption, match="sync_mode") as refusal:
        Options().updated({"sync_mod": "async"})
    assert all(name in str(refusal.value) for name in OPTION_TYPES)


def test_every_option_has_a_type_and_its_default_is_valid():
    defaults = Options().as_dict()
    assert set(defaults) == set(OPTION_TYPES)
    assert Options().updated({name: str(value) for name, value in defaults.items()}) == Options()


def test_the_others_stay_as_they_are():
    changed = Options().updated({"sync_mode": "async"}).updated({"heal_policy": "majority"})
    assert (changed.sync_mode, changed.heal_policy) == ("async", "majority")
