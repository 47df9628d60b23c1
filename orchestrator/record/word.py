"""The word that this node has given to a leader while Consul was gone (``forced_command`` writes it)."""

from __future__ import annotations

import json
import math

from orchestrator.clients.clock import now_s
from orchestrator.config import NodeConfig
from orchestrator.model.errors import Bound
from orchestrator.model.snapshot import Word


def read(config: NodeConfig) -> Word:
    """The newest word; one from the future was given before this machine was started, and binds nobody."""
    try:
        content = json.loads(config.paths.word_file.read_bytes())
        given = content.pop("written_at_s", math.inf) <= now_s()
        return Word(**content) if given else Word()
    except (OSError, ValueError, TypeError, AttributeError):
        return Word()


def require_free(config: NodeConfig) -> None:
    """Raises ``Bound`` while a word stands.

    To be asked after a promise was written: whoever gives a word looks for a promise after that, so that of
    the two one always sees the other.
    """
    word = read(config)
    if (left_s := word.until_s - now_s()) > 0:
        raise Bound(f"the leader of term {word.term} has this node's word for another {left_s:.1f} s")
