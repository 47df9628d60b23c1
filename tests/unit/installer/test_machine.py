"""Root gives away what it makes, in folders where the manager's user may have put something else."""

from __future__ import annotations

import os
import stat

import pytest

from installer import machine
from orchestrator.clients.files import write_atomically


def test_a_link_gives_nobody_what_it_leads_to(tmp_path):
    target, link = tmp_path / "shadow", tmp_path / "manager.toml"
    target.touch(mode=0o600)
    link.symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        machine.give(link, os.getuid(), os.getgid(), 0o644)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_link_in_the_place_of_a_file_that_is_being_written_is_not_followed(tmp_path):
    target = tmp_path / "shadow"
    target.write_text("root")
    (tmp_path / f".manager.toml.{os.getpid()}").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        write_atomically(tmp_path / "manager.toml", "text")
    assert target.read_text() == "root"
