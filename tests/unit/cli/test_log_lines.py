"""Lines of many logs as one: each program's time is understood, and nothing is there twice."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from cli.machine.journal import Entries
from cli.machine.log_lines import Line, lines_of, merged, stamped

LOCAL = datetime(2026, 11, 23, 11, 56, 40, 731000).astimezone().timestamp()
UTC = datetime.fromisoformat("2026-11-23T11:56:40.731+00:00").timestamp()


@pytest.mark.parametrize(
    ("line", "at_s", "text"),
    [
        ("2026-11-23 11:56:40.731 INFO    cluster: done", LOCAL, "INFO    cluster: done"),
        ("2026-11-23 11:56:40,731 WARNING guard: late", LOCAL, "WARNING guard: late"),
        ("2026-11-23 11:56:40.731 UTC [265] postmaster LOG:  ready", UTC, "[265] postmaster LOG:  ready"),
        ("2026-11-23T11:56:40.731Z [INFO]  agent: started", UTC, "[INFO]  agent: started"),
        ("    2026-11-23T12:56:40.731+0100 [WARN]  agent: x", UTC, "[WARN]  agent: x"),
        ("281:M 23 Nov 2026 11:56:40.731 * Ready", LOCAL, "* Ready"),
        ("Server listening on 10.0.0.1", None, "Server listening on 10.0.0.1"),
        ("2026-99-23 11:56:40 no such day", None, "2026-99-23 11:56:40 no such day"),
    ],
)
def test_each_programs_way_to_write_the_time(line, at_s, text):
    assert stamped(line) == (at_s, text)


def test_what_has_no_time_belongs_to_the_line_before():
    first, second = lines_of("rest", ["2026-11-23 11:56:40.731 ERROR it broke", "  File x, line 7"])
    assert second == Line(first.at_s, "rest", "  File x, line 7")


def test_logs_are_put_together_by_time_and_each_stays_in_its_order():
    one = [Line(1, "a", "z"), Line(1, "a", "b"), Line(4, "a", "last")]
    other = [Line(2, "b", "x"), Line(3, "b", "y")]
    assert [line.text for line in merged([one, other])] == ["z", "b", "x", "y", "last"]


def test_what_was_written_to_two_logs_is_there_once_and_what_was_said_twice_is_there_twice():
    main = [Line(1, "cluster", "said"), Line(1, "cluster", "said"), Line(2, "cluster", "more")]
    own = [Line(1, "handler-runner", "said"), Line(1.5, "handler-runner", "its own")]
    found = [(line.service, line.text) for line in merged([main, own])]
    assert found == [("cluster", "said")] * 2 + [("handler-runner", "its own"), ("cluster", "more")]


def entry(at_s, message, pid="7", unit="_SYSTEMD_UNIT"):
    """A line of ``journalctl -o json``."""
    stamp = str(int(at_s * 1e6))
    service = {"_SYSTEMD_UNIT": "init.scope", unit: "cloudify-redis.service"}
    return json.dumps({"__REALTIME_TIMESTAMP": stamp, "_PID": pid, "MESSAGE": message, **service})


def test_entries_of_the_journal_keep_the_time_that_their_program_wrote():
    texts = [
        entry(LOCAL + 0.1, "2026-11-23 11:56:40.731 ERROR it broke"),
        entry(LOCAL + 0.2, "  File x, line 7"),
        entry(LOCAL + 0.3, "of another process", pid="8"),
        entry(LOCAL + 9, "said later"),
    ]
    found = Entries().lines(texts)
    assert [round(line.at_s - LOCAL, 1) for line in found] == [0, 0, 0.3, 9]
    assert {line.service for line in found} == {"redis"}


def test_what_systemd_says_of_a_unit_belongs_to_its_service_and_bytes_are_text():
    assert Entries().lines([entry(1.0, [72, 105], unit="UNIT")]) == [Line(1.0, "redis", "Hi")]
