"""A certificate and its key are replaced together, however the process that does so ends."""

from __future__ import annotations

import stat

import pytest

from orchestrator.clients import keypairs
from orchestrator.clients.keypairs import KeyPair, install_pair, read_pair

OLD, NEW = KeyPair("old certificate", "old key"), KeyPair("new certificate", "new key")


class Killed(BaseException):
    """Nothing of the product catches it, as nothing catches SIGKILL."""


@pytest.fixture
def plain(tmp_path):
    """As an earlier version left it: two files."""
    (tmp_path / "node.pem").write_text(OLD.certificate)
    (tmp_path / "node.key").write_text(OLD.key)
    return tmp_path


@pytest.fixture
def linked(tmp_path):
    install_pair(tmp_path, OLD)
    return tmp_path


@pytest.fixture(params=["plain", "linked"])
def folder(request):
    return request.getfixturevalue(request.param)


def test_the_new_pair_is_there_and_nothing_of_the_old_one(folder):
    install_pair(folder, NEW)
    assert read_pair(folder) == NEW
    contents = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert not [text for text in contents if text in {OLD.certificate, OLD.key}]


def test_the_key_is_for_its_owner_only(folder):
    install_pair(folder, NEW)
    keys = [path for path in folder.rglob("*.key") if not path.is_symlink()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


def test_there_is_a_pair_that_fits_whenever_it_is_killed(folder, monkeypatch):
    """The process is killed before each single change of the disk in turn, and begins again after that."""
    for steps in range(100):
        left = iter(range(steps))

        def counted(real, left=left):
            def change(*arguments, **more):
                if next(left, None) is None:
                    raise Killed
                return real(*arguments, **more)

            return change

        with monkeypatch.context() as patch:
            for owner, name in (
                (keypairs, "write_atomically"),
                (keypairs.Path, "replace"),
                (keypairs.Path, "symlink_to"),
                (keypairs.shutil, "rmtree"),
            ):
                patch.setattr(owner, name, counted(getattr(owner, name)))
            try:
                install_pair(folder, NEW)
            except Killed:
                assert read_pair(folder) in (OLD, NEW)
            else:
                break
    assert steps > 4
    assert read_pair(folder) == NEW
    assert len(list(folder.glob("pair-*"))) == 1
