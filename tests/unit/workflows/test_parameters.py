"""What a workflow is called with fits what its blueprint declares."""

from __future__ import annotations

from typing import Any

import pytest

from manager.errors import IllegalExecutionParameters
from manager.workflows.parameters import merge

DECLARED = {
    "name": {"description": "has to be given"},
    "maybe": {"required": False},
    "count": {"type": "integer", "default": 1},
    "rate": {"type": "float", "default": 0.5},
    "loud": {"type": "boolean", "default": False},
    "text": {"type": "string", "default": None},
    "own": {"type": "a.type.of.its.own", "default": {"x": 1}},
}
DEFAULTS = {"count": 1, "rate": 0.5, "loud": False, "text": None, "own": {"x": 1}}


def merged(given: dict[str, Any], *, allow_custom: bool = False) -> dict[str, Any]:
    return merge("w", DECLARED, given, allow_custom=allow_custom)


def test_defaults_fill_in_for_what_is_not_given():
    assert merged({"name": "n"}) == {"name": "n", **DEFAULTS}


READ = [
    ("count", "7", 7),
    ("count", "-7", -7),
    ("count", 7, 7),
    ("rate", "0.25", 0.25),
    ("rate", 2, 2),
    ("loud", "True", True),
    ("loud", "false", False),
    ("loud", "no", False),
    ("text", "7", "7"),
    ("text", None, None),
    ("own", [1], [1]),
]


@pytest.mark.parametrize(("name", "given", "value"), READ)
def test_text_is_read_as_what_the_parameter_is(name, given, value):
    assert merged({"name": "n", name: given})[name] == value


WRONG = [
    ({}, "must be provided with the following parameters to execute: name"),
    ({"name": "n", "other": 1}, "does not have the following parameters declared: other"),
    ({"name": "n", "count": "many"}, "`count` of workflow `w` must be of type integer"),
    ({"name": "n", "count": True}, "`count` of workflow `w` must be of type integer"),
    ({"name": "n", "loud": "perhaps"}, "`loud` of workflow `w` must be of type boolean, not 'perhaps'."),
    ({"name": "n", "text": 7}, "`text` of workflow `w` must be of type string"),
    ({"x": 1, "count": "many"}, "name.*x.*count"),
]


@pytest.mark.parametrize(("given", "words"), WRONG)
def test_what_does_not_fit_is_refused_with_all_that_is_wrong(given, words):
    with pytest.raises(IllegalExecutionParameters, match=words):
        merged(given)


def test_others_are_taken_when_that_is_allowed():
    assert merged({"name": "n", "other": 1}, allow_custom=True) == {"name": "n", "other": 1, **DEFAULTS}
