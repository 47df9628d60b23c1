from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.clients.postgres.settings_file import SettingsFile, format_settings, parse_settings
from orchestrator.clients.postgres.upstream import Upstream, conninfo
from orchestrator.config import NodeConfig

lines = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]))


@given(st.dictionaries(st.sampled_from(["primary_conninfo", "cloudify.upstream", "a_b"]), lines))
def test_what_is_written_is_read_again(settings):
    assert parse_settings(format_settings(settings)) == settings


@pytest.mark.parametrize(
    ("value", "written"),
    [(True, "'on'"), (False, "'off'"), (16, "'16'"), ("it's \\ here", "'it''s \\\\ here'")],
)
def test_values_are_written_as_postgresql_reads_them(value, written):
    assert format_settings({"name": value}) == f"name = {written}\n"


def test_a_file_that_is_not_there_has_no_settings(tmp_path):
    file = SettingsFile(tmp_path / "replication.conf")
    assert file.read() == {}
    file.write({"primary_conninfo": "host=127.0.0.1 user='x'"})
    assert file.read() == {"primary_conninfo": "host=127.0.0.1 user='x'"}


def test_a_replica_verifies_its_upstream_and_shows_its_own_certificate():
    text = conninfo(NodeConfig(), Upstream("n1", "127.90.0.1", 15432), application_name="n2")
    for part in ("sslmode=verify-full", "sslcert=", "sslkey=", "sslrootcert=", "application_name=n2"):
        assert part in text
    assert "password" not in text
