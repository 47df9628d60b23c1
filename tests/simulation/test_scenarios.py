"""The known stories go as they are written down."""

from __future__ import annotations

import pytest

from tests.simulation.scenario import SCENARIOS, played

HINT = "If this is what should happen now: python -m tests.simulation.scenario --rewrite"


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.txt")), ids=lambda path: path.stem)
def test_story(path):
    assert played(path.read_text()).splitlines() == path.read_text().splitlines(), HINT
