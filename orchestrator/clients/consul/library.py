"""python-consul2, as far as it is used here: without its transport, which stands on ``requests`` (4 MiB)."""

from __future__ import annotations

from orchestrator.clients.lean import without

with without("requests"):
    from consul.base import CB, Check, Response
    from consul.base import Consul as LibraryConsul

__all__ = ["CB", "Check", "LibraryConsul", "Response"]
