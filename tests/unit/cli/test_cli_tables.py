"""A table fits into its terminal, and says what it leaves out; a pipe gets everything."""

from __future__ import annotations

import pytest

from cli.tables import fitted_table, plain_table

ID = "8d926e18-f5ef-4c21-a921-04d637e8e55f"
EXECUTION = {
    "id": ID,
    "status": "failed",
    "workflow": "create_deployment_environment",
    "deployment": "web",
    "error": "Cannot resume - workflow not resumable: create_deployment_environment",
    "created": "2026-11-23 04:32:20",
    "note": None,
}
COLUMNS = tuple(EXECUTION)


def fitted(width, rows=(EXECUTION,), columns=COLUMNS):
    return fitted_table(rows, columns, width)


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, fitted(width).text.splitlines())) <= width


@pytest.mark.parametrize("width", [40, 80, 120])
def test_what_names_a_thing_is_in_one_piece(width):
    assert ID in fitted(width).text


def test_columns_that_find_no_room_are_named():
    shown = fitted(80)
    assert shown.left_out == ("error", "created")
    assert "deployment" in shown.text


def test_a_column_without_values_is_no_loss():
    assert fitted(300).left_out == ()
    assert "note" not in fitted(300).text


def test_an_empty_table_keeps_its_first_column():
    assert fitted(80, rows=({"id": None},), columns=("id", "note")).text.strip() == "id"


def test_a_long_name_is_broken_after_a_sign():
    lines = [line.split() for line in fitted(80).text.splitlines()]
    assert lines[1][2:] == ["create_deployment_", "web"]
    assert lines[2] == ["environment"]


def test_a_sentence_is_broken_between_words():
    shown = fitted(34, rows=({"n": "a", "said": "one sentence of several words"},), columns=("n", "said"))
    assert shown.text.splitlines() == ["n  said", "a  one sentence of several words"]
    narrow = fitted(27, rows=({"n": "a", "said": "one sentence of several words"},), columns=("n", "said"))
    assert narrow.text.splitlines() == ["n  said", "a  one sentence of several", "   words"]


def test_a_word_without_a_sign_is_broken_anywhere_and_loses_nothing():
    shown = fitted(40, rows=({"n": "a", "said": "x" * 100},), columns=("n", "said"))
    assert shown.text.count("x") == 100


def test_lines_of_a_cell_stay_lines():
    shown = fitted(80, rows=({"n": "a", "said": "one\ntwo"},), columns=("n", "said"))
    assert shown.text.splitlines() == ["n  said", "a  one", "   two"]


def test_paint_is_told_the_whole_cell():
    told = []
    fitted_table(({"n": "leader"},), ("n",), 80, lambda text, cell: told.append((text, cell)) or text)
    assert told == [("n", None), ("leader", "leader")]


def test_a_pipe_gets_everything():
    lines = plain_table((EXECUTION,), COLUMNS).splitlines()
    assert len(lines) == 2
    assert EXECUTION["error"] in lines[1]
    assert "note" in lines[0]
