"""Unpacking: tar, tar.gz, tar.bz2 and zip, told apart by their first bytes and by nothing else."""

from __future__ import annotations

import bz2
import gzip
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from manager.errors import RestError
from manager.files.archives.bounded import Bounded
from manager.files.archives.limits import DEFAULT_LIMITS, BadArchive, Limits, Names
from manager.files.durable import telling_full

PIECE_BYTES = 64 * 1024
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
ENCRYPTED = 0x1
EXPECTED = "expected a tar, tar.gz, tar.bz2 or zip archive"


def kind_of(archive: Path) -> str:
    """The usual ending of a file of this kind, without a dot. Raises ``BadArchive``."""
    with archive.open("rb") as stream:
        head = stream.read(TAR_MAGIC_AT + len(TAR_MAGIC))
    for magic, kind in ((b"\x1f\x8b", "tar.gz"), (b"BZh", "tar.bz2"), (b"PK\x03\x04", "zip")):
        if head.startswith(magic):
            return kind
    if head[TAR_MAGIC_AT:] == TAR_MAGIC:
        return "tar"
    raise BadArchive(f"The file is of no kind that is known; {EXPECTED}")


def unpack(archive: Path, folder: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    """Unpack the inside of the archive's one top folder into ``folder``, which is made.

    Raises ``BadArchive`` and ``StorageFull``; what was unpacked until then is left to the caller to remove.
    """
    kind = kind_of(archive)
    reader = _unzip if kind == "zip" else _untar
    target = _Target(folder, Names(limits), limits.bytes_of(archive.stat().st_size))
    with telling_full():
        folder.mkdir(mode=0o755)
        with _telling_damage():
            reader(archive, kind, target, limits)
    target.names.check_end()


@contextmanager
def _telling_damage() -> Iterator[None]:
    try:
        yield
    except RecursionError as error:
        raise BadArchive("The archive has too many headers in a row") from error
    except RestError:
        raise
    except Exception as error:
        # The standard library promises nothing about what it raises for an archive with wrong bytes in it. Of
        # a disk it says a number as well.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BadArchive(f"The archive is damaged; {EXPECTED}: {error}") from error


@dataclass
class _Target:
    """Where entries go, and how much is left for them."""

    folder: Path
    names: Names
    left_bytes: int

    def add_folder(self, name: str) -> None:
        if path := self.names.take(name, is_folder=True):
            (self.folder / path).mkdir(mode=0o755, parents=True, exist_ok=True)

    def add_file(self, name: str, content: Callable[[], IO[bytes]], *, executable: bool) -> None:
        path = self.names.take(name, is_folder=False)
        if path is None:
            raise BadArchive(f"{name!r} is no name of a file")
        target = self.folder / path
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(target, flags, 0o755 if executable else 0o644)
        with os.fdopen(descriptor, "wb") as out, content() as source:
            while piece := source.read(PIECE_BYTES):
                self.left_bytes -= len(piece)
                if self.left_bytes < 0:
                    raise BadArchive("The archive unpacks to more than it may")
                out.write(piece)


OPENERS: dict[str, Callable[[Path], Any]] = {
    "tar": lambda path: path.open("rb"),
    "tar.gz": gzip.GzipFile,
    "tar.bz2": bz2.BZ2File,
}


def _untar(archive: Path, kind: str, target: _Target, limits: Limits) -> None:
    with closing(OPENERS[kind](archive)) as raw:
        # Headers and padding count as well, so that there is an end to them: 512 bytes twice for each entry.
        most = target.left_bytes + limits.max_entries * 2 * tarfile.BLOCKSIZE
        stream = Bounded(raw, max_piece_bytes=limits.max_header_bytes, max_bytes=most)
        tar: Any  # Its lists are not in its types.
        with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r:", errors="surrogateescape") as tar:
            while (member := tar.next()) is not None:
                # It would keep all of them, and what is said for all of them.
                tar.members.clear()
                tar.pax_headers.clear()
                _add_member(tar, member, target)
        if stream.last.strip(b"\0"):
            raise BadArchive(f"The archive is damaged; {EXPECTED}: there is something else in it")


def _add_member(tar: tarfile.TarFile, member: tarfile.TarInfo, target: _Target) -> None:
    if member.isdir():
        target.add_folder(member.name)
    elif member.isreg() and not member.issparse():
        target.add_file(
            member.name,
            lambda: cast("IO[bytes]", tar.extractfile(member)),
            executable=bool(member.mode & stat.S_IXUSR),
        )
    else:
        _refuse(member.name, "a link" if member.islnk() or member.issym() else "no plain file")


def _unzip(archive: Path, _: str, target: _Target, limits: Limits) -> None:
    size = archive.stat().st_size
    with archive.open("rb") as raw:
        stream = Bounded(raw, max_piece_bytes=limits.max_directory_bytes, max_bytes=size)
        with zipfile.ZipFile(cast("BinaryIO", stream)) as packed:
            for info in packed.infolist():
                _add_info(packed, info, target)


def _add_info(packed: zipfile.ZipFile, info: zipfile.ZipInfo, target: _Target) -> None:
    mode = info.external_attr >> 16
    if info.flag_bits & ENCRYPTED:
        _refuse(info.orig_filename, "encrypted")
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        _refuse(info.orig_filename, "a link" if stat.S_ISLNK(mode) else "no plain file")
    if info.is_dir():
        target.add_folder(info.orig_filename)
    else:
        target.add_file(info.orig_filename, lambda: packed.open(info), executable=bool(mode & stat.S_IXUSR))


def _refuse(name: str, what: str) -> None:
    shown = name[:100].encode(errors="backslashreplace").decode()
    raise BadArchive(f"{shown!r} is {what}; an archive may contain plain files and folders only")
