"""An upload goes to whoever leads, whole and once, whatever happens to the connection on the way."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from cli import wire
from tests.unit.cli.scripted import DROP, NOT_LEADER, error

MEBIBYTE = 1024 * 1024
UPLOADED = (201, {"id": "s1", "status": "uploaded"})
WHERE = "PUT /snapshots/s1/archive"


@pytest.fixture
def archive(tmp_path):
    """More than fits into the buffers between two processes."""
    file = tmp_path / "s1.zip"
    file.write_bytes(os.urandom(12 * MEBIBYTE))
    return file


@pytest.fixture
def pair(cfy, managers):
    """Two members: the first one to be asked, and the one after."""
    first, second = managers.add({}), managers.add({WHERE: UPLOADED})
    cfy.profile(first, second, port=managers.port)
    return first, second


def upload(cfy, archive, *more):
    return cfy("snapshots", "upload", str(archive), "-s", "s1", *more)


def test_the_bytes_of_the_file_are_sent_in_chunks_as_the_contract_has_it(cfy, managers, archive):
    manager = managers.add({WHERE: UPLOADED})
    cfy.profile(manager, port=managers.port)
    result = upload(cfy, archive)
    assert result.exit_code == 0, result.stderr
    (seen,) = manager.seen
    assert seen.body == archive.read_bytes()
    assert seen.headers["Transfer-Encoding"] == "chunked"
    assert seen.headers["Content-type"] == "application/json"
    assert "Content-Length" not in seen.headers


def test_a_member_that_does_not_lead_need_not_read_it(cfy, pair, archive):
    first, second = pair
    first.table, first.reads = {"*": NOT_LEADER}, 1
    assert upload(cfy, archive).exit_code == 0
    assert len(first.seen[0].body) < 12 * MEBIBYTE
    assert second.seen[0].body == archive.read_bytes()


def test_what_a_refusal_says_is_heard_although_the_upload_was_cut(cfy, pair, archive):
    first, second = pair
    first.table, first.reads = {"*": error(400, "bad_parameters_error", "No room for this")}, 1
    result = upload(cfy, archive)
    assert result.exit_code == 1
    assert "No room for this" in result.stderr
    assert not second.seen


def test_an_upload_that_breaks_off_begins_again_on_the_next_member(cfy, pair, archive):
    first, second = pair
    first.table, first.reads = {WHERE: DROP}, MEBIBYTE
    assert upload(cfy, archive).exit_code == 0
    assert second.seen[0].body == archive.read_bytes()


def test_one_whose_answer_is_lost_as_well(cfy, pair, archive):
    first, second = pair
    first.table = {WHERE: DROP}
    assert upload(cfy, archive).exit_code == 0
    assert first.seen[0].body == second.seen[0].body


def test_a_conflict_is_a_refusal_even_then_for_managers_recognise_repeats(cfy, pair, archive):
    first, second = pair
    first.table = {WHERE: DROP}
    second.table = {WHERE: error(409, "conflict_error", "Snapshot s1 exists")}
    result = upload(cfy, archive)
    assert result.exit_code == 1
    assert "Snapshot s1 exists" in result.stderr


def test_nobody_is_left_to_say_whether_it_arrived(cfy, pair, archive):
    first, second = pair
    first.table, second.table = {WHERE: DROP}, {"*": NOT_LEADER}
    result = upload(cfy, archive)
    assert result.exit_code == 3
    assert "may have been carried out" in result.stderr


def test_a_file_is_never_in_memory(cfy, pair, tmp_path):
    large = tmp_path / "large.zip"
    with large.open("wb") as file:
        file.truncate(256 * MEBIBYTE)
    for member in pair:
        member.table, member.reads = {"*": NOT_LEADER}, 1
    tracemalloc.start()
    try:
        upload(cfy, large)
        assert tracemalloc.get_traced_memory()[1] < 32 * MEBIBYTE
    finally:
        tracemalloc.stop()


def test_no_bar_when_the_output_goes_to_a_pipe(cfy, pair, archive):
    pair[0].table = {WHERE: UPLOADED}
    result = upload(cfy, archive)
    assert result.stdout == "Snapshot s1 is uploaded.\n"
    assert result.stderr == ""


@pytest.mark.parametrize("source", ["s1.zip", "https://files.example/s1.zip"])
def test_what_a_manager_fetches_unpacks_and_copies_takes_its_time(cfy, pair, tmp_path, monkeypatch, source):
    """The client that gives up first asks the next member for something that is on its way already."""
    allowed_s = []

    def answer(_target, request):
        allowed_s.append(request.timeout_s)
        return wire.Answer(201, {})

    monkeypatch.setattr("cli.api.exchange", answer)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s1.zip").write_bytes(b"an archive")
    assert cfy("blueprints", "upload", source).exit_code == 0
    assert allowed_s == [wire.TRANSFER_TIMEOUT_S]
    assert wire.TRANSFER_TIMEOUT_S > wire.READ_TIMEOUT_S


def test_a_file_that_cannot_be_read_is_no_reason_to_ask_anybody(cfy, pair, tmp_path):
    for name in ("missing.zip", "."):
        result = upload(cfy, tmp_path / name)
        assert result.exit_code == 1
        assert "Cannot read" in result.stderr
    assert not pair[1].seen


def test_a_snapshot_at_a_url_is_fetched_by_the_manager(cfy, pair):
    pair[0].table = {WHERE: UPLOADED}
    assert upload(cfy, "https://files.example/s.zip").exit_code == 0
    assert pair[0].requests() == [f"{WHERE}?snapshot_archive_url=https%3A%2F%2Ffiles.example%2Fs.zip"]
