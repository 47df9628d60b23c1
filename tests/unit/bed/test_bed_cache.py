"""What beds share is made once, is complete whenever it is there, and survives its maker's death."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from tests.cluster.bed import cache
from tests.support.waiting import eventually

DIES_IN_THE_MIDDLE = """
import os, signal
from tests.cluster.bed import cache

def make(folder):
    (folder / "half").touch()
    os.kill(os.getpid(), signal.SIGKILL)

cache.made_once("images", "key", make)
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.BED_CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill(folder):
    (folder / "whole").touch()


def names_in(folder):
    return {each.name for each in folder.iterdir()}


def test_it_is_made_the_first_time_only():
    calls = []
    for _ in range(2):
        cache.made_once("images", "key", calls.append)
    assert len(calls) == 1


def test_another_key_is_another_thing():
    assert cache.made_once("images", "one", fill) != cache.made_once("images", "other", fill)


def test_what_a_killed_maker_left_is_no_product():
    done = subprocess.run([sys.executable, "-c", DIES_IN_THE_MIDDLE], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert names_in(cache.made_once("images", "key", fill)) == {"whole"}


def test_a_failed_maker_leaves_no_product():
    def fails(folder):
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        cache.made_once("images", "key", fails)
    assert names_in(cache.made_once("images", "key", fill)) == {"whole"}


def test_who_needs_the_same_meanwhile_waits_for_it():
    begun, go_on, made = threading.Event(), threading.Event(), []

    def slowly(folder):
        begun.set()
        assert go_on.wait(30)
        fill(folder)

    makers = [
        threading.Thread(target=lambda make=make: made.append(cache.made_once("images", "key", make)))
        for make in (slowly, pytest.fail)
    ]
    makers[0].start()
    assert begun.wait(30)
    makers[1].start()
    go_on.set()
    eventually(lambda: len(made) == 2)
    assert made[0] == made[1]


def test_the_order_and_the_borders_of_the_parts_count():
    assert len({cache.digest(parts) for parts in (["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""])}) == 4


def test_all_that_was_made_is_cleared(home):
    cache.made_once("images", "key", fill)
    cache.clear()
    assert not (home / "images").exists()
