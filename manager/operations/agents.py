"""What the leader and agents say to each other beside operations: names that both have to know."""

from __future__ import annotations

MEMBERS, DESCRIBE = "agent_members", "agent_describe"
"""Commands of the remote control: here is the new list of members; say what runs there."""


def hostname(agent: str) -> str:
    """The name of an agent's worker, by which it is told something."""
    return f"agent@{agent}"
