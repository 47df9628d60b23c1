"""What all parts of the gateway share: the way to Consul, to the workers, and from errors to errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from manager import errors
from manager.gateway.sending import Errand, send
from orchestrator.clients.services import Services, services_of
from orchestrator.config import NodeConfig
from orchestrator.model import errors as cluster_errors
from orchestrator.model.snapshot import ClusterView, MembershipState
from orchestrator.record import lease_file, membership
from orchestrator.record.wishes import Wishes

if TYPE_CHECKING:
    from orchestrator.clients.consul import Consul

Json = dict[str, Any]
Health = Mapping[str, frozenset[str]]


@contextmanager
def translated() -> Iterator[None]:
    """The cluster's errors in the words of the REST contract."""
    try:
        yield
    except cluster_errors.NotFound as error:
        raise errors.NotFound(str(error)) from error
    except cluster_errors.Conflict as error:
        raise errors.Conflict(str(error)) from error
    except cluster_errors.Refused as error:
        raise errors.BadParameters(str(error)) from error
    except cluster_errors.ClusterError as error:
        raise errors.Unavailable(str(error)) from error


class Connection:
    """A manager's connection to its cluster.

    Methods raise ``RestError`` and ``Unavailable``, and are safe for threads.
    """

    def __init__(
        self,
        config: NodeConfig,
        *,
        consul: Callable[[], Consul] | None = None,
        services: Services | None = None,
        errand: Errand = send,
    ) -> None:
        """Tests bring a ``consul``, ``services`` and an ``errand`` of their own."""
        self.config = config
        self.paths = config.paths
        self.errand = errand
        self._new_consul = consul
        self._services = services
        self._made: tuple[object, Consul] | None = None

    def service_runner(self) -> Services:
        """Whoever runs this machine's services."""
        if self._services is None:
            self._services = services_of(self.config)
        return self._services

    def look(self) -> tuple[ClusterView, Health]:
        """The cluster and the passing checks of each node at this moment.

        In minority mode nobody can be asked: then it is what this node knew last, and only itself is there.
        """
        self.must_be_member()
        try:
            with translated():
                return self.consul().view(), self.consul().health()
        except errors.Unavailable:
            if (way := self.minority()) and self.name:
                # What it stands on loads the library of Consul.
                from manager.gateway.minority import view_alone  # noqa: PLC0415

                return view_alone(self.config, self.name, way)
            raise

    def minority(self) -> str:
        """How this node acts without the majority of its cluster; empty while it does not."""
        state = lease_file.read(self.paths.lease_file)
        return state.minority if state is not None else ""

    def must_be_member(self) -> None:
        """Raise ``NotFound`` when there is no cluster."""
        if not self.is_member():
            raise errors.NotFound("This manager does not belong to a cluster")

    def is_member(self) -> bool:
        """Whether this manager belongs to a cluster."""
        return membership.read(self.paths.membership_file).state is MembershipState.MEMBER

    @property
    def name(self) -> str | None:
        """This manager's name in its cluster."""
        return membership.read(self.paths.membership_file).name

    def wishes_of(self, who: str) -> Wishes:
        """Leaves in the cluster's history what the user ``who`` has asked for."""
        return Wishes(self.config, self.name or "", who)

    def consul(self) -> Consul:
        """A client that is made anew when the node's membership has changed, and with it its certificates."""
        if self._new_consul is not None:
            return self._new_consul()
        status = self.paths.membership_file.stat()
        stamp = (status.st_ino, status.st_mtime_ns)
        if self._made is None or self._made[0] != stamp:
            # A manager that is alone saves the memory.
            from orchestrator.clients.consul import Consul  # noqa: PLC0415

            self._made = (stamp, Consul(self.config, self.name or ""))
        return self._made[1]
