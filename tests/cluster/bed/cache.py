"""What is made once and used by many beds: root file systems and wheels.

Each product lies in a folder named after a hash of what it is made of. It is made beside its place and
renamed into it, so that whatever has the right name is complete, whoever was killed meanwhile.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.places import make_private
from tests.cluster.bed.host import remove_tree

BED_CACHE = "BED_CACHE"
PROJECT = "cloudify-manager-cluster"


def home() -> Path:
    """The cache's folder: that of the variable ``BED_CACHE``, or one in the user's own cache."""
    if chosen := os.environ.get(BED_CACHE):
        return Path(chosen).resolve()
    own = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own).resolve() / PROJECT / "bed"


def digest(parts: Iterable[str | bytes]) -> str:
    """A name for what the parts, in their order, make up."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:16]


def made_once(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder ``<kind>/<key>`` of the cache; ``make`` fills it when it is not there yet.

    Whoever needs the same meanwhile waits. What a killed maker left is removed by the next.
    """
    folder = home() / kind
    product, beside = folder / key, folder / f"{key}.unfinished"
    if product.exists():
        return product
    make_private(home())
    folder.mkdir(exist_ok=True)
    with _locked(folder / f"{key}.lock"):
        if not product.exists():
            remove_tree(beside)
            beside.mkdir()
            make(beside)
            beside.rename(product)
    return product


def clear() -> None:
    """Remove everything that was made. A bed that stands on it would fall."""
    for kind in ("images", "boxes", "dependencies", "wheels"):
        remove_tree(home() / kind)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
