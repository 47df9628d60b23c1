from __future__ import annotations

from celery.beat import Scheduler

from tasks.app import app
from tasks.check_runner import Punctual


def test_it_neither_wakes_early_nor_asks_without_a_pause():
    scheduler = Punctual(app)
    assert scheduler.adjust(0.7) == 0.7
    assert Scheduler(app).adjust(0.7) < 0.7  # What the library does, and why it is told otherwise.


def test_the_schedule_is_nothing_but_the_tick_and_nobody_waits_for_its_result():
    entries = Punctual(app).schedule
    ticks = {name: entry for name, entry in entries.items() if entry.task == "tick"}
    assert list(ticks) == ["tick"]
    assert ticks["tick"].options["ignore_result"]
