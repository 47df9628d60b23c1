"""What is mirrored by ``benchmarks.files``: many small files, or one large one."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from pathlib import Path

SMALL_BYTES, BLOCK_BYTES = 2048, 1 << 20
CHANGED_ONE_IN = 100


@dataclass(frozen=True, slots=True)
class Load:
    """Files of one size, in units."""

    units: int
    files_each: int
    file_bytes: int

    def write(self, tree: Path) -> None:
        """Have them in a tree."""
        chance = random.Random(1)
        for number in range(self.units):
            name = uuid.UUID(int=chance.getrandbits(128)).hex
            content = tree / "blueprints" / "default_tenant" / f"bench-{number}" / name / "content"
            content.mkdir(parents=True)
            for file in range(self.files_each):
                _write(content / f"file-{file}", self.file_bytes, chance)


def _write(path: Path, size: int, chance: random.Random) -> None:
    with path.open("wb") as file:
        for start in range(0, size, BLOCK_BYTES):
            file.write(chance.randbytes(min(BLOCK_BYTES, size - start)))


def change(tree: Path, chance: random.Random) -> None:
    """One file in a hundred becomes another of the same size; of a large one, one block in a hundred."""
    for path in sorted(path for path in tree.rglob("*") if path.is_file())[::CHANGED_ONE_IN]:
        size = path.stat().st_size
        with path.open("r+b") as file:
            for start in range(0, size, BLOCK_BYTES * CHANGED_ONE_IN):
                file.seek(start)
                file.write(chance.randbytes(min(BLOCK_BYTES, size - start)))


def loads(small: int, large_mib: int) -> dict[str, Load]:
    """What is mirrored; the small files both in few large units and in many small ones."""
    return {
        f"{small} files in units of 100": Load(max(1, small // 100), 100, SMALL_BYTES),
        f"{small} files in units of 10": Load(max(1, small // 10), 10, SMALL_BYTES),
        f"one file of {large_mib} MiB": Load(1, 1, large_mib << 20),
    }
