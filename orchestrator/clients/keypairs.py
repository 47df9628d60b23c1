"""A certificate and its private key on disk: two files, which are replaced together in one step.

``node.pem`` and ``node.key`` lead through the link ``pair`` into a folder that holds both, and that link is
what changes. However this ends in between, who opens them finds a certificate and the key that belongs to it:
a database whose key did not fit would not start.

    node.pem -> pair/node.pem       pair -> pair-1a2b3c4d/       pair-1a2b3c4d/node.pem, node.key
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.clients.files import sync_folder, write_atomically

CERTIFICATE, KEY = "node.pem", "node.key"
LINK = "pair"

READABLE, PRIVATE = 0o644, 0o600


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, in PEM. ``repr`` shows neither."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        return "KeyPair(...)"


def read_pair(folder: Path) -> KeyPair:
    """The pair in ``folder``. Raises ``OSError`` when there is none."""
    return KeyPair((folder / CERTIFICATE).read_text(), (folder / KEY).read_text())


def install_pair(folder: Path, pair: KeyPair, give: Callable[[Path], None] = lambda _: None) -> None:
    """Have ``pair`` in ``folder``, and nothing left of the one before. ``give`` sets the owner of a path."""
    folder.mkdir(parents=True, exist_ok=True)
    _adopt(folder, give)
    _point(folder / LINK, _write(folder, pair, give))
    _lead_through_link(folder)
    in_use = str((folder / LINK).readlink())
    for old in folder.glob(f"{LINK}-*"):
        if old.name != in_use:
            shutil.rmtree(old, ignore_errors=True)


def _adopt(folder: Path, give: Callable[[Path], None]) -> None:
    """Bring files of an earlier version into the form above; what they say stays the same at each moment."""
    plain = [folder / name for name in (CERTIFICATE, KEY) if not (folder / name).is_symlink()]
    if plain and all((folder / name).exists() for name in (CERTIFICATE, KEY)):
        _point(folder / LINK, _write(folder, read_pair(folder), give))
        _lead_through_link(folder)


def _write(folder: Path, pair: KeyPair, give: Callable[[Path], None]) -> str:
    # The same pair is always called the same: to install it once more changes nothing.
    home = folder / f"{LINK}-{hashlib.sha256(pair.certificate.encode()).hexdigest()[:8]}"
    home.mkdir(mode=0o700, exist_ok=True)
    write_atomically(home / KEY, pair.key, mode=PRIVATE)
    write_atomically(home / CERTIFICATE, pair.certificate, mode=READABLE)
    # Who may look into ``folder`` may read the certificate.
    home.chmod(0o711)
    for path in (home / KEY, home / CERTIFICATE, home):
        give(path)
    return home.name


def _lead_through_link(folder: Path) -> None:
    for name in (KEY, CERTIFICATE):
        _point(folder / name, f"{LINK}/{name}")


def _point(link: Path, target: str) -> None:
    """Have ``link`` lead to ``target``, durably, and in one step."""
    if link.is_symlink() and str(link.readlink()) == target:
        return
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)
    sync_folder(link.parent)
