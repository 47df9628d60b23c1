"""What is done to Consul's data while it does not run, as Consul's own user, which alone may touch them.

Its unit runs this file with ``python -I -S`` before Consul starts and after it has stopped:

    consul_data.py ETC DATA

``ETC/life`` is another one with each start and join of a cluster, and not there when the node has left one
(``consul_home``). Data that were made in another life are deleted: in a cluster they would mislead.

``ETC/only-server`` has this server go on alone (``formation.quorum``), once for each text that it has had.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

LIFE = "life"
ONLY_SERVER = "only-server"


def main(etc: Path, data: Path) -> None:
    """Leave nothing in ``data`` of another life than that in ``etc``. Can be repeated."""
    present, own = _text(etc / LIFE), data / LIFE
    if present == _text(own) and present:
        make_only_server(etc, data)
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


def make_only_server(etc: Path, data: Path) -> None:
    """Have Consul begin with this server alone, if that was asked for and has not been done.

    It is told by ``peers.json`` (Consul's documentation, "Outage Recovery"). The gossip keys that it knows
    are forgotten: they would count for more than the one in its configuration. Raises ``OSError``.
    """
    asked = _text(etc / ONLY_SERVER)
    if not asked or asked == _text(data / ONLY_SERVER):
        return
    server = {
        "id": (data / "node-id").read_text().strip(),
        "address": json.loads(asked)["address"],
        "non_voter": False,
    }
    (data / "serf" / "local.keyring").unlink(missing_ok=True)
    _write(data / "raft" / "peers.json", json.dumps([server]))
    _write(data / ONLY_SERVER, asked)


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
