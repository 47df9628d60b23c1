"""Which snapshots a manager takes: its own and older ones."""

from __future__ import annotations

import pytest

from manager.errors import SnapshotAction
from manager.snapshots.archive import FORMAT, Manifest


def made_by(version: str, revision: str) -> Manifest:
    return Manifest(
        format=FORMAT, version=version, revision=revision, created_at="2026-11-22", tables=[], sha256={}
    )


@pytest.mark.parametrize(
    ("version", "revision"),
    [("7.2.1", "0004"), ("7.2.0", "0004"), ("7.2.1.dev3", "0004"), ("6.10.9", "0001")],
)
def test_its_own_and_older_ones(version, revision):
    made_by(version, revision).check_not_newer("7.2.1", "0004")


@pytest.mark.parametrize(
    ("version", "revision"), [("7.2.2", "0004"), ("7.10.0", "0004"), ("8.0", "0001"), ("7.2.1", "0005")]
)
def test_newer_ones_are_refused_and_both_versions_named(version, revision):
    with pytest.raises(SnapshotAction) as refused:
        made_by(version, revision).check_not_newer("7.2.1", "0004")
    assert all(word in str(refused.value) for word in (version, revision, "7.2.1", "0004"))
