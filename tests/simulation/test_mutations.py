"""Each rule taken out is noticed; with all the rules the same histories go well."""

from __future__ import annotations

import pytest

from tests.simulation.histories import run_history
from tests.simulation.mutation_run import look_for, play
from tests.simulation.mutations import MUTATIONS

MOST_STEPS = 400_000
HINT = "see 'A mutation is not noticed' in tests/simulation/README.md"


@pytest.mark.parametrize("name", MUTATIONS)
def test_is_noticed(name):
    mutated = MUTATIONS[name]
    if mutated.story is not None:
        assert play(mutated, with_it=False).violation is None
        assert bool(play(mutated).violation) != bool(mutated.covered), mutated.covered or HINT
        return
    outcome, _ = look_for(mutated, mutated.seed, MOST_STEPS)
    assert outcome is not None, HINT
    assert run_history(outcome.seed, climate=mutated.climate).violation is None
