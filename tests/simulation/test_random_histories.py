"""The real rules in random histories: 720,000 steps, and every invariant after each of them."""

from __future__ import annotations

import pytest

from tests.simulation.faults import Climate
from tests.simulation.histories import run_history

BATCHES = 8
FILE_BATCHES = 4
CONSUL_BATCHES = 4
STEPS_PER_BATCH = 40_000
WITH_FILES = Climate(files=True)
WITHOUT_CONSUL = Climate(consul=True)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_history_breaks_an_invariant(batch):
    steps, seed = 0, batch * 1000
    while steps < STEPS_PER_BATCH:
        outcome = run_history(seed)
        assert outcome.violation is None, f"seed {seed}: {outcome.violation}\n{outcome.story}"
        steps, seed = steps + outcome.steps, seed + 1


@pytest.mark.parametrize("batch", range(FILE_BATCHES))
def test_no_history_with_uploads_breaks_an_invariant(batch):
    steps, seed = 0, 100_000 + batch * 1000
    while steps < STEPS_PER_BATCH:
        outcome = run_history(seed, climate=WITH_FILES)
        assert outcome.violation is None, f"seed {seed}: {outcome.violation}\n{outcome.story}"
        steps, seed = steps + outcome.steps, seed + 1


@pytest.mark.parametrize("batch", range(CONSUL_BATCHES))
def test_no_history_in_which_consul_is_gone_now_and_then_breaks_an_invariant(batch):
    steps, seed = 0, 200_000 + batch * 1000
    while steps < STEPS_PER_BATCH:
        outcome = run_history(seed, climate=WITHOUT_CONSUL)
        assert outcome.violation is None, f"seed {seed}: {outcome.violation}\n{outcome.story}"
        steps, seed = steps + outcome.steps, seed + 1


@pytest.mark.parametrize("policy", ["most_recent", "majority"])
def test_no_history_in_which_nodes_act_without_the_majority_breaks_an_invariant(policy):
    steps, seed = 0, 300_000
    while steps < STEPS_PER_BATCH:
        outcome = run_history(seed, climate=Climate(often={"cut": 8}, minority=policy))
        assert outcome.violation is None, f"seed {seed}: {outcome.violation}\n{outcome.story}"
        steps, seed = steps + outcome.steps, seed + 1


def test_the_same_seed_gives_the_same_history():
    assert run_history(7) == run_history(7)
    assert run_history(7, climate=WITH_FILES) == run_history(7, climate=WITH_FILES)
