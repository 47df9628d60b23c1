"""Which timeline a position lies on. The wrong answer would lose data: the newest timeline leads."""

from __future__ import annotations

import pytest

from orchestrator.clients.postgres.wal import WalFolder, parse_history, segment_name, timeline_of
from orchestrator.model.errors import DatabaseUnavailable
from orchestrator.model.lsn import Fork, Lsn

MB = 1024 * 1024
SIZE = 16 * MB
HISTORY_3 = """\
1\t0/3000148\tno recovery target specified

2\t0/5000A00\tno recovery target specified # and a remark
"""
FORKS = {
    2: (Fork(1, Lsn.parse("0/3000148")),),
    3: (Fork(1, Lsn.parse("0/3000148")), Fork(2, Lsn.parse("0/5000A00"))),
}


def lsn(text):
    return Lsn.parse(text)


def find(position, names):
    return timeline_of(lsn(position), names, SIZE, FORKS.__getitem__)


def test_a_history_names_the_timelines_that_were_left():
    assert parse_history(HISTORY_3) == FORKS[3]
    assert parse_history("\n# nothing\n") == ()


@pytest.mark.parametrize(
    ("byte", "size", "name"),
    [
        (0, SIZE, "000000020000000000000000"),
        (0x3000147, SIZE, "000000020000000000000003"),
        (0x1_2000_0000, SIZE, "000000020000000100000020"),
        (0x1_2000_0000, 64 * MB, "000000020000000100000008"),
    ],
)
def test_segments_are_named_as_postgresql_names_them(byte, size, name):
    assert segment_name(2, byte, size) == name


def test_behind_the_fork_it_is_the_newer_timeline():
    both = ["000000010000000000000003", "000000020000000000000003", "00000002.history"]
    assert find("0/3000149", both) == 2


def test_up_to_the_fork_it_is_the_older_timeline_although_the_newer_has_a_copy():
    both = ["000000010000000000000003", "000000020000000000000003", "00000002.history"]
    assert find("0/3000148", both) == 1
    assert find("0/3000148", ["000000020000000000000003"]) == 1


def test_a_diverged_node_is_on_its_old_timeline_whatever_histories_it_has_fetched():
    names = ["000000010000000000000003", "00000002.history", "00000003.history"]
    assert find("0/3FFFFFF", names) == 1


def test_a_position_at_the_end_of_a_segment_belongs_to_that_segment():
    assert find("0/4000000", ["000000020000000000000003", "000000030000000000000004"]) == 2


def test_the_newest_of_several_timelines():
    names = ["000000020000000000000005", "000000030000000000000005", "000000010000000000000003"]
    assert find("0/5000A01", names) == 3
    assert find("0/5000A00", names) == 2


def test_files_that_do_not_tell_are_no_answer():
    with pytest.raises(DatabaseUnavailable):
        find("0/9000000", ["000000010000000000000003", "archive_status"])


def test_a_folder_without_the_history_it_needs_is_no_answer(tmp_path):
    folder = tmp_path / "pg_wal"
    folder.mkdir()
    (folder / "000000020000000000000003").touch()
    with pytest.raises(DatabaseUnavailable):
        WalFolder(tmp_path).timeline_of(lsn("0/3000200"), SIZE)

    (folder / "00000002.history").write_text("1\t0/3000148\twhy\n")

    assert WalFolder(tmp_path).timeline_of(lsn("0/3000200"), SIZE) == 2
    assert WalFolder(tmp_path).newest_known_timeline() == 2
    assert WalFolder(tmp_path).forks_of(2) == FORKS[2]
    assert WalFolder(tmp_path).forks_of(1) == ()


def test_a_folder_that_is_not_there_is_no_answer(tmp_path):
    with pytest.raises(DatabaseUnavailable):
        WalFolder(tmp_path).newest_known_timeline()
