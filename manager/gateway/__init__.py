"""The one place where the manager touches the cluster: it reads from Consul, and asks the node's workers.

Nothing here is long: what takes time is enqueued for the node's own Celery workers, and answered at once. The
contract's names (``master``, ``host_ip``) are given to the orchestrator's values here, and nowhere else.
"""

from __future__ import annotations

from manager.gateway.configuration import load_config, settings_of
from manager.gateway.connection import Json
from manager.gateway.files import Files
from manager.gateway.formation import Formation
from manager.gateway.leadership import Leadership
from manager.gateway.lease import LeaseReader
from manager.gateway.services import ServiceList

__all__ = ["HISTORY_LIMIT", "Gateway", "Json", "load_config", "settings_of"]

HISTORY_LIMIT = 1000


class Gateway(LeaseReader, ServiceList, Formation, Leadership, Files):
    """The cluster, as REST shows it; one file per subject."""
