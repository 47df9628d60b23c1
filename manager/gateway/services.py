"""What runs on this machine."""

from __future__ import annotations

from manager.gateway.connection import Connection
from orchestrator.model.errors import ServicesUnavailable


class ServiceList(Connection):
    """Reads the services from whoever runs them."""

    def services(self) -> list[tuple[str, str]]:
        """Each service with its state; nothing when their manager does not answer."""
        runner = self.service_runner()
        try:
            known, running = runner.known(), runner.running()
        except ServicesUnavailable:
            return []
        return [(name, "running" if name in running else "stopped") for name in sorted(known)]
