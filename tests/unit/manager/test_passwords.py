"""Passwords: what is stored, and what is remembered."""

from __future__ import annotations

import pytest

from manager.passwords import MEMORY_S, REMEMBERED, Passwords


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def passwords(clock) -> Passwords:
    return Passwords(clock)


def test_what_is_stored_does_not_show_the_password(passwords):
    stored = passwords.hash("secret")
    assert stored.startswith("$argon2id$")
    assert "secret" not in stored
    assert stored != passwords.hash("secret")


def test_a_right_password_is_remembered_for_a_while(passwords, clock):
    stored = passwords.hash("secret")
    assert not passwords.remembered(stored, "secret")
    assert passwords.verify(stored, "secret")
    assert passwords.remembered(stored, "secret")
    clock.now_s = MEMORY_S
    assert not passwords.remembered(stored, "secret")


def test_what_another_request_has_found_right_meanwhile_is_not_computed_again(passwords, monkeypatch):
    stored = passwords.hash("secret")
    assert passwords.verify(stored, "secret")
    monkeypatch.setattr(passwords, "_hasher", None)
    assert passwords.verify(stored, "secret")
    with pytest.raises(AttributeError):
        passwords.verify(stored, "Secret")


def test_a_wrong_password_is_not_remembered(passwords):
    stored = passwords.hash("secret")
    assert not passwords.verify(stored, "Secret")
    assert not passwords.remembered(stored, "Secret")


def test_a_changed_password_is_forgotten_at_once(passwords):
    old = passwords.hash("secret")
    passwords.verify(old, "secret")
    assert not passwords.remembered(passwords.hash("other"), "secret")


def test_nobody_has_no_password(passwords):
    assert not passwords.verify(None, "")
    assert not passwords.verify("not a hash", "secret")


def test_the_memory_is_bounded(passwords):
    stored = passwords.hash("secret")
    passwords._right = {str(number).encode(): 1.0 for number in range(REMEMBERED)}
    passwords.verify(stored, "secret")
    assert len(passwords._right) == 1
