"""Whether SSL is on can be asked for; it is changed in the configuration only."""

from __future__ import annotations

import pytest

from tests.support.shop import refusal

pytestmark = pytest.mark.integration


def test_it_is_told_in_a_sentence(rest):
    answer = rest.get("/ssl")
    assert (answer.status_code, answer.json()) == (200, "SSL enabled")


def test_what_is_so_already_is_no_error(rest):
    answer = rest.post("/ssl", {"state": True})
    assert (answer.status_code, answer.json()) == (200, "SSL is already enabled on the manager")


def test_it_is_not_changed_while_the_manager_runs(rest):
    answer = rest.post("/ssl", {"state": False})
    assert refusal(answer) == (400, "illegal_action_error")
    assert '`protocol = "http"`' in answer.json()["message"]
    assert rest.get("/ssl").json() == "SSL enabled"


@pytest.mark.parametrize("body", [{}, {"state": "perhaps"}, {"state": None}])
def test_a_state_is_on_or_off(rest, body):
    assert refusal(rest.post("/ssl", body)) == (400, "bad_parameters_error")
