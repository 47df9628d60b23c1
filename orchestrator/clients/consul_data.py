"""Deletes what Consul has of an earlier life, as Consul's own user, which alone may touch it.

Its unit runs this file with ``python -I -S`` before Consul starts and after it has stopped:

    consul_data.py ETC DATA

``ETC/life`` is another one with each start and join of a cluster, and not there when the node has left one
(``consul_home``). Data that were made in another life are deleted: in a cluster they would mislead.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

LIFE = "life"


def main(etc: Path, data: Path) -> None:
    """Leave nothing in ``data`` of another life than that in ``etc``. Can be repeated."""
    present, own = _text(etc / LIFE), data / LIFE
    if present == _text(own) and present:
        return
    # Should this be cut short, what is left is still not of the present life.
    own.unlink(missing_ok=True)
    for path in data.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if present:
        _write(own, present)


def _text(file: Path) -> str:
    with suppress(FileNotFoundError):
        return file.read_text()
    return ""


def _write(file: Path, text: str) -> None:
    # Lost in a power failure, it would cost Consul the data that it has written since.
    with file.open("w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
