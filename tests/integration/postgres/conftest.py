from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres_nodes import Team, team


@pytest.fixture
def nodes() -> Iterator[Team]:
    with team() as made:
        yield made
