"""Takes the secrets out of what is given away: those that a node has, wherever they stand, and what looks so.

What a node's secrets are is found out from its own files: whatever is called a password or a token there, or
is a private key. So a secret that a later version adds is masked without a change here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

MASK = "***"
SHORTEST = 6
"""What is shorter would blank out ordinary words."""

MOST_BYTES = 1024 * 1024
WORDS = "password|passwd|passphrase|requirepass|masterauth|secret|token|encrypt|gossip[_-]?key|credential"
SECRET_NAME = re.compile(rf"(?:{WORDS})s?$", re.IGNORECASE)
SECRET_FOLDER = re.compile(r"(?:token|secret|keyring)s?", re.IGNORECASE)
SETTING = re.compile(r"^\s*\"?([\w.-]+)\"?\s*[ :=]\s*\"?([^\s\",;]+)\"?", re.MULTILINE)
KEY_BLOCK = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.*?)(?:-----END \1-----|\Z)", re.DOTALL)

PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (KEY_BLOCK, rf"-----BEGIN \1-----{MASK}-----END \1-----"),
    # The hash of a password can be tried at leisure.
    (re.compile(r"\$argon2\w*\$[\w$=,+/.-]+"), MASK),
    (re.compile(r"(\b(?:basic|bearer)\s+)[\w+/=.~-]{8,}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\w+://[^/\s:@]*:)[^/\s@]+@"), rf"\1{MASK}@"),
    # A user's token, or its secret half; keys of 32 bytes.
    (re.compile(r"\b(?:[0-9a-f]{32}-)?[0-9a-f]{64}\b"), MASK),
    (
        re.compile(
            rf"(?P<name>[\w-]*(?:{WORDS})s?)(?P<between>\\?[\"']?\s*[:=]\s*\\?[\"']?|\s+(?=\S+$))"
            rf"(?P<value>(?!/|true\b|false\b|null\b|none\b|{re.escape(MASK)})[^\s\"',;}}\]\\]+)",
            re.IGNORECASE | re.MULTILINE,
        ),
        rf"\g<name>\g<between>{MASK}",
    ),
)


class Masker:
    """Masks texts. ``secrets``: the values that are known."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        shapes = {shape for secret in secrets if len(secret) >= SHORTEST for shape in _shapes(secret)}
        # The longest first: one may begin with another.
        self._known = "|".join(map(re.escape, sorted(shapes, key=len, reverse=True)))
        self._values = re.compile(self._known) if self._known else None

    @classmethod
    def of(cls, folders: Iterable[Path]) -> Masker:
        """One that knows the secrets in all files of these folders. Raises ``OSError``."""
        return cls({secret for folder in folders for secret in secrets_below(folder)})

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self._values:
            text = self._values.sub(MASK, text)
        for pattern, instead in PATTERNS:
            text = pattern.sub(instead, text)
        return text


def _shapes(secret: str) -> set[str]:
    """How a secret looks in a URL, in JSON, and as it is."""
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}


def secrets_below(folder: Path) -> Iterator[str]:
    """The secrets in the files of a folder; none when there is no such folder.

    Raises ``OSError`` when any of it cannot be read: what is not known cannot be masked.
    """
    for parent, _, names in os.walk(folder, onerror=_fail_unless_gone):
        for path in (Path(parent, name) for name in sorted(names)):
            if path.is_file() and path.stat().st_size < MOST_BYTES:
                yield from secrets_in(path.name, path.read_bytes().decode(errors="replace"))


def _fail_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def secrets_in(name: str, text: str) -> Iterator[str]:
    """The secrets in one file; a file with the name of a secret holds nothing else."""
    for _, block in KEY_BLOCK.findall(text):
        yield from (line for line in map(str.strip, block.splitlines()) if len(line) >= SHORTEST)
    if _is_secret(Path(name).stem) or _is_secret(name):
        yield from text.split()
    if not (found := _json(text)):
        yield from (value for key, value in SETTING.findall(text) if _is_secret(key) and not _is_plain(value))
    yield from _in_json(found, secret=bool(SECRET_FOLDER.search(name)))


def _is_secret(name: str) -> bool:
    return SECRET_NAME.search(name) is not None


def _is_plain(value: str) -> bool:
    return value.startswith("/") or value.lower() in {"true", "false", "null", "none"}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _in_json(found: Any, *, secret: bool) -> Iterator[str]:
    """The texts under a name that is one of a secret, or below such a name."""
    match found:
        case str() if secret and not _is_plain(found):
            yield found
        case list():
            for item in found:
                yield from _in_json(item, secret=secret)
        case dict():
            for key, value in found.items():
                inside = secret or _is_secret(key) or bool(SECRET_FOLDER.fullmatch(key))
                yield from _in_json(value, secret=inside)
