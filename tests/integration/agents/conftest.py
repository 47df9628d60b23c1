from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.agents import WITHIN_S, Bed, bed
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def place() -> Iterator[Bed]:
    """Two members, of which the first leads, and an agent that has found it."""
    with bed() as made:
        made.members[0].lead()
        made.agent.start()
        eventually(made.members[0].hears, WITHIN_S, "the agent follows the first member")
        yield made
