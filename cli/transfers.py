"""Files on their way to a manager and from one: never in memory, and never half there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from cli.errors import CliError
from cli.output import Transferred
from cli.session import Session
from cli.wire import CHUNK_BYTES, Incoming


def upload(session: Session, where: str, file: Path, **query: str | None) -> Any:
    """Send a file, and return what the manager answers. Raises ``CliError`` when it cannot be read."""
    size = _size_of(file)
    with session.out.transfer(f"Uploading {file.name}") as transferred:
        return session.api.upload(where, lambda: _content(file, size, transferred), **query)


def _size_of(file: Path) -> int:
    with _explained("read", file):
        return file.stat().st_size


def _content(file: Path, size: int, transferred: Transferred) -> Iterator[bytes]:
    done = 0
    with _explained("read", file):
        source = file.open("rb")
    with source:
        while chunk := _read(source, file):
            yield chunk
            done += len(chunk)
            transferred(done, size)


def _read(source: BinaryIO, file: Path) -> bytes:
    with _explained("read", file):
        return source.read(CHUNK_BYTES)


def download(session: Session, where: str, target: Path | None, *, default: str, force: bool) -> Path:
    """Fetch a file to ``target``: a file, or a folder for a file with the manager's name (or ``default``).

    The file appears when all of it is there. Raises ``CliError`` when there is one already (unless
    ``force``), or when it cannot be written.
    """
    if target is not None and not target.is_dir():
        _check_free(target, force=force)
    with session.out.transfer(f"Downloading {default}") as transferred:
        received: Path = session.api.download(where, _receiver(target, default, transferred, force=force))
    return received


def _receiver(
    target: Path | None, default: str, transferred: Transferred, *, force: bool
) -> Callable[[Incoming], Path]:
    def receive(incoming: Incoming) -> Path:
        file = _file_for(target, incoming.name or default)
        _check_free(file, force=force)
        _write(file, incoming, transferred)
        return file

    return receive


def _file_for(target: Path | None, name: str) -> Path:
    if target is not None and not target.is_dir():
        return target
    # A manager gives a name, and not a place.
    plain = Path(name).name
    return (target or Path()) / (plain if plain not in {"", ".."} else "archive")


def _check_free(file: Path, *, force: bool) -> None:
    if file.exists() and not force:
        raise CliError(f"{file} exists already.", "Name another file: -o PATH; or replace it: --force")


def _write(file: Path, incoming: Incoming, transferred: Transferred) -> None:
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with _explained("write", file):
            # A snapshot holds secrets.
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as destination:
            _copy(incoming, destination, file, transferred)
        with _explained("write", file):
            partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _copy(incoming: Incoming, destination: BinaryIO, file: Path, transferred: Transferred) -> None:
    done = 0
    for chunk in incoming.chunks:
        with _explained("write", file):
            destination.write(chunk)
        done += len(chunk)
        transferred(done, incoming.size)
    with _explained("write", file):
        destination.flush()
        os.fsync(destination.fileno())


@contextmanager
def _explained(do: str, file: Path) -> Iterator[None]:
    """What is wrong with a file of this machine is no reason to ask another manager."""
    try:
        yield
    except OSError as error:
        raise CliError(f"Cannot {do} {file}: {error.strerror or error}") from error
