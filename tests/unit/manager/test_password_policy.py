"""What a new password has to be like, and that everything wrong with one is said at once."""

from __future__ import annotations

import pytest

from manager.password_policy import PasswordPolicy, is_common

POLICY = PasswordPolicy(8)


TRIED_FIRST = (
    *("password", "PassWord", "Password1!", "12345678", "87654321", "aaaaaaaa", "abababab"),
    *("qwertyui", "cdefghij", "letmein2026", "Cloudify123", "administrator"),
)


@pytest.mark.parametrize("password", TRIED_FIRST)
def test_what_is_tried_first_is_refused(password):
    assert is_common(password)
    assert POLICY.complaints("ann", password) == ["it is one of those that are tried first"]


@pytest.mark.parametrize(
    "password", ["a new word", "tXk3-9pQ", "blue lamp eats", "7c9e6679", "pass the salt, please"]
)
def test_what_nobody_guesses_is_taken(password):
    assert POLICY.complaints("ann", password) == []


def test_the_name_of_the_user_is_no_password_in_any_case_of_its_letters():
    assert POLICY.complaints("Anna-Lena", "anna-lena") == ["it is the user's name"]
    assert POLICY.complaints("Anna-Lena", "anna-lena's") == []


def test_everything_that_is_wrong_is_said_at_once():
    assert POLICY.complaints("admin", "Admin") == [
        "it has 5 characters, and 8 are needed",
        "it is the user's name",
        "it is one of those that are tried first",
    ]


def test_the_length_is_a_setting():
    assert PasswordPolicy(3).complaints("ann", "q8w") == []
    assert PasswordPolicy(12).complaints("ann", "blue lamp") == ["it has 9 characters, and 12 are needed"]
