"""The form of a snapshot: a zip with a manifest, the rows of each table, and the archive of each unit.

``database/TABLE.copy`` is what PostgreSQL's COPY writes as text, with the columns that the manifest names.
``units/STORAGE_ID`` is a unit's archive as it was uploaded; what was in it is unpacked again by a restore.
Where it belongs is said by the rows. The manifest comes last, has the SHA-256 of each other member, and says
which product and which schema (the revision of Alembic) wrote it all.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import IO, Annotated, Any, Self

from pydantic import BaseModel, Field, ValidationError

from manager.errors import BadParameters, SnapshotAction
from manager.files.durable import sync, telling_full

FORMAT = 1
DISTRIBUTION = "cloudify-manager-cluster"
MANIFEST = "manifest.json"
TABLES, UNITS = "database/", "units/"
MAX_MANIFEST_BYTES = 64 * 1024**2
PIECE_BYTES = 1024**2

STORAGE_ID = re.compile(r"[0-9a-f]{32}")
NAME = r"^[a-z][a-z0-9_]*$"

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, KeyError)
"""What the standard library raises for a zip that is none, or is broken."""


class TableRows(BaseModel):
    """One table: its columns in the order of the file, and how many rows there are."""

    name: Annotated[str, Field(pattern=NAME)]
    columns: list[Annotated[str, Field(pattern=NAME)]]
    rows: int

    @property
    def member(self) -> str:
        """Where they are."""
        return f"{TABLES}{self.name}.copy"


class Manifest(BaseModel):
    """What a snapshot says of itself. ``tables``: in the order in which they can be loaded."""

    format: int
    version: str
    revision: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    created_at: str
    tables: list[TableRows]
    left_out: list[str] = []
    sha256: dict[str, str]

    @property
    def units(self) -> list[str]:
        """The storage ids of the units that it holds."""
        return [name.removeprefix(UNITS) for name in self.sha256 if name.startswith(UNITS)]

    def check_not_newer(self, own_version: str, own_revision: str) -> None:
        """Raise ``SnapshotAction`` for what a newer manager has made; an older one's can be migrated."""
        theirs = (_numbers(self.version), self.revision)
        if theirs[0] > _numbers(own_version) or theirs[1] > own_revision:
            raise SnapshotAction(
                f"The snapshot was made by version {self.version} (schema {self.revision}), which is newer "
                f"than this manager's version {own_version} (schema {own_revision}). "
                "Restore it on a manager of that version or of a later one."
            )


def own_version() -> str:
    """Of this product."""
    return version(DISTRIBUTION)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


class Writer:
    """Writes a snapshot; it is whole, and on the disk, at the end of the block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip = zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=6)
        self.sha256: dict[str, str] = {}

    @contextmanager
    def member(self, name: str, *, packed: bool = True) -> Iterator[_Digesting]:
        """A file in it. ``packed``: compressed. Raises ``StorageFull``."""
        info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        info.external_attr = 0o640 << 16
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        with telling_full(), self._zip.open(info, "w", force_zip64=True) as stream:
            digesting = _Digesting(stream)
            yield digesting
        self.sha256[name] = digesting.sha256

    def add(self, name: str, file: Path) -> None:
        """A file that is packed already."""
        with file.open("rb") as source, self.member(name, packed=False) as target:
            shutil.copyfileobj(source, target, PIECE_BYTES)

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, and have it all on the disk. Raises ``StorageFull``."""
        with telling_full():
            self._zip.writestr(MANIFEST, manifest.model_dump_json(indent=1))
            self._zip.close()
            self._path.chmod(0o640)
            sync(self._path)


class _Digesting:
    """Passes on what is written to a member, and remembers its SHA-256."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def write(self, piece: bytes) -> int:
        """As of any file."""
        self._digest.update(piece)
        return self._stream.write(piece)

    @property
    def sha256(self) -> str:
        """In hexadecimal digits."""
        return self._digest.hexdigest()


class Reader:
    """Reads a snapshot. Anything that is wrong with the file raises ``BadParameters``."""

    def __init__(self, path: Path) -> None:
        with telling_damage():
            self._zip = zipfile.ZipFile(path)
        try:
            self.manifest = self._manifest()
            self._check_members()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def _manifest(self) -> Manifest:
        with telling_damage():
            if self._zip.getinfo(MANIFEST).file_size > MAX_MANIFEST_BYTES:
                raise BadParameters("The snapshot's manifest is too long")
            text = self._zip.read(MANIFEST)
        try:
            manifest = Manifest.model_validate_json(text)
        except ValidationError as error:
            raise BadParameters(
                "The file is no snapshot of a manager: its manifest cannot be read"
            ) from error
        if manifest.format > FORMAT:
            raise SnapshotAction(
                f"The snapshot was made by version {manifest.version} in form {manifest.format}; "
                f"this manager's version {own_version()} knows forms up to {FORMAT}."
            )
        return manifest

    def _check_members(self) -> None:
        """What the manifest names is there, once, and nothing else."""
        names = sorted(name for name in self._zip.namelist() if name != MANIFEST)
        expected = [table.member for table in self.manifest.tables]
        expected += [f"{UNITS}{storage_id}" for storage_id in self.manifest.units]
        units_are_named = all(STORAGE_ID.fullmatch(storage_id) for storage_id in self.manifest.units)
        if names != sorted(self.manifest.sha256) or names != sorted(expected) or not units_are_named:
            raise BadParameters(
                "The file is no snapshot of a manager: it does not hold what its manifest says"
            )

    @contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """A file in it, to be read."""
        with telling_damage(), self._zip.open(name) as stream:
            yield stream

    def verify(self) -> None:
        """Compare every member with its SHA-256."""
        for name, sha256 in self.manifest.sha256.items():
            digest = hashlib.sha256()
            with self.member(name) as stream:
                while piece := stream.read(PIECE_BYTES):
                    digest.update(piece)
            if digest.hexdigest() != sha256:
                raise BadParameters(f"The snapshot is damaged: {name} is not what its manifest says")

    def extract(self, storage_id: str, target: Path) -> None:
        """Write a unit's archive. Raises ``StorageFull`` as well."""
        with telling_full(), self.member(f"{UNITS}{storage_id}") as source, target.open("xb") as stream:
            shutil.copyfileobj(source, stream, PIECE_BYTES)
        target.chmod(0o640)


@contextmanager
def telling_damage() -> Iterator[Any]:
    """Turn what the standard library says of a damaged zip into ``BadParameters``."""
    try:
        yield
    except DAMAGED as error:
        raise BadParameters(f"The file is no snapshot of a manager, or is damaged: {error}") from error
