"""What a new password has to be like. Those that are there already are never refused.

Length, and nothing that is guessed first, as NIST SP 800-63B (5.1.1.2) has it; no rules on kinds of
characters, which lead to ``Password1!``.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

ADVICE = "Several words that do not belong together make a good one."
DECORATION = re.compile(r"[^a-z]{1,4}$")
"""What people put behind a word to please such rules."""

SEQUENCES = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
FEWEST_DIFFERENT = 3


class PasswordPolicy:
    """``min_length``: in characters."""

    def __init__(self, min_length: int) -> None:
        self._min_length = min_length

    def complaints(self, username: str, password: str) -> list[str]:
        """All that is wrong with a new password of this user."""
        found = []
        if len(password) < self._min_length:
            found.append(f"it has {len(password)} characters, and {self._min_length} are needed")
        if password.lower() == username.lower():
            found.append("it is the user's name")
        if is_common(password):
            found.append("it is one of those that are tried first")
        return found


def is_common(password: str) -> bool:
    """Whether it is among the commonest, also with digits or signs behind it, or hardly a choice at all."""
    plain = password.lower()
    known = _commonest()
    if plain in known or DECORATION.sub("", plain) in known:
        return True
    return len(set(plain)) < FEWEST_DIFFERENT or any(
        plain in doubled or plain in doubled[::-1] for doubled in (line * 3 for line in SEQUENCES)
    )


@cache
def _commonest() -> frozenset[str]:
    return frozenset(files("manager").joinpath("common_passwords.txt").read_text().split())
