"""A simulated machine: disk and memory, programs, and the clients through which they see the world."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from orchestrator import reconcile
from orchestrator.act import perform
from orchestrator.clients import Clients
from orchestrator.guard import due_in_s
from orchestrator.model.action import Plan
from orchestrator.model.errors import ClusterError
from orchestrator.model.snapshot import ClusterView, Member, MembershipState
from orchestrator.observe import Observer
from orchestrator.record import lease_file
from orchestrator.record.status import Reporter
from tests.simulation.consul_client import SimConsulClient
from tests.simulation.database import SimDatabase
from tests.simulation.files import SimMirror, SimProduct, upload_for_ever
from tests.simulation.postgres_client import SimPostgresClient
from tests.simulation.programs import Program, nap
from tests.simulation.schedule import Actor
from tests.simulation.surroundings import MemoryFile, SimPeers, SimServices

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.database import Disk

WATCH_S = 0.4


class Machine:
    """One node.

    ``up``: it has power. ``lost``: for good. ``cut``: no message gets in or out. ``slow``: its database
    receives nothing new, although it is connected. ``sees``: what it observes in Consul instead of the truth.
    """

    def __init__(self, cluster: SimCluster, name: str, disk: Disk) -> None:
        self.cluster, self.name = cluster, name
        self.up, self.cut, self.slow, self.frozen, self.services_well = False, False, False, False, True
        self.disk_files: dict[str, str] = {}
        self.memory_files: dict[str, str] = {}
        self.database = SimDatabase(name, disk, self.database_changed)
        self.background = Actor(cluster.schedule, lambda: cluster.replication.step(self))
        self.ticker = Program(cluster.schedule, self._tick_for_ever)
        self.worker = Program(cluster.schedule, self._work_for_ever)
        self.file_worker = Program(cluster.schedule, self._work_beside_for_ever)
        self.rest = Program(cluster.schedule, lambda: upload_for_ever(self))
        self.units: set[str] = set()
        self.uploading: set[str] = set()
        self.guard = Actor(cluster.schedule, self._guard)
        self.watcher = Actor(cluster.schedule, self._watch)
        self.guard_runs = self.lost = False
        self.ssh_listens = True
        self.sees: ClusterView | None = None
        self.plan: Plan | None = None
        self.file_plan: Plan | None = None
        self.actions_done = self.file_actions_done = 0
        self.orphans: list[Program] = []
        self.config = self._configure()
        self.clients = self._connect()

    def _configure(self) -> SimpleNamespace:
        paths = SimpleNamespace(
            promise_file=MemoryFile(self.disk_files, "promise"),
            lease_file=MemoryFile(self.memory_files, "lease"),
            word_file=MemoryFile(self.memory_files, "word"),
            run=MemoryFile(self.memory_files),
            state=MemoryFile(self.disk_files),
            outbox_file=None,  # Nobody reads the history here.
        )
        return SimpleNamespace(
            paths=paths,
            timing=self.cluster.timing,
            host_ip=self.name,
            ports=SimpleNamespace(postgres=5432),
            files=SimpleNamespace(transfer_timeout_s=5.0),
            priority=0,
        )

    def _connect(self) -> Clients:
        self.services = SimServices(self)
        self.consul_client = SimConsulClient(self)
        return Clients(
            self.config,
            self.name,
            self.consul_client,
            SimPostgresClient(self),
            self.services,
            SimPeers(self),
            SimMirror(self),
            SimProduct(self),
        )

    @property
    def consul_up(self) -> bool:
        """Whether this machine's Consul takes part."""
        return self.up and not self.cut and not self.frozen

    @property
    def guard_listens(self) -> bool:
        """A frozen guard still accepts connections: the kernel does."""
        return self.up and self.guard_runs

    @property
    def member(self) -> Member:
        return Member(self.name, host_ip=self.name, options=self.cluster.options.as_dict())

    @property
    def serves(self) -> bool:
        """Whether its REST service answers as the leader now, and its database takes writes."""
        state = lease_file.read(self.config.paths.lease_file)
        server = self.database.server
        return (
            state is not None
            and state.leads(self.cluster.schedule.now_s)
            and not self.frozen
            and server is not None
            and server.primary
            and not server.read_only
        )

    @property
    def acts_alone(self) -> bool:
        """Whether it is marked as acting without the majority."""
        return "minority" in self.disk_files

    @property
    def is_confirmed(self) -> bool:
        """Whether it leads by the word of the other members, because Consul was gone."""
        state, now_s = lease_file.read(self.config.paths.lease_file), self.cluster.schedule.now_s
        return state is not None and state.leads(now_s) and state.confirmed_until_s > now_s

    def database_changed(self) -> None:
        """Something has moved in its database: whoever streams from it has something to do."""
        self.background.wake(self.cluster.pace.between(0.001, 0.01))
        for other in self.cluster.machines.values():
            server = other.database.server
            if server is not None and server.upstream == self.name:
                other.background.wake(self.cluster.pace.between(0.001, 0.01))

    # Its programs.

    def _tick_for_ever(self) -> None:
        options = self.cluster.spec_of(self.name)
        observer = Observer(self.clients, options, self.cluster.ttl_s)
        reporter = Reporter(self.clients, "1", fail_fast=True)
        node = reconcile.Node(self.clients, options, MembershipState.MEMBER, observer, reporter)
        while True:
            seen = (self.actions_done, self.file_actions_done)
            reconcile.tick(node, lambda plan: self._dispatch(plan, seen))  # noqa: B023 - called at once
            nap(self.cluster.timing.tick_interval_s)

    def _dispatch(self, plan: Plan, seen: tuple[int, int]) -> bool:
        """A plan is refused while another one is carried out, and when it is older than the last action."""
        if plan.is_beside:
            return self._dispatch_beside(plan, seen[1])
        if self.plan is not None or self.actions_done != seen[0]:
            return False
        self.plan = plan
        self.worker.actor.wake(self.cluster.pace.between(0.003, 0.02))
        return True

    def _dispatch_beside(self, plan: Plan, seen: int) -> bool:
        if not self.cluster.with_files or self.file_plan is not None or self.file_actions_done != seen:
            return False
        self.file_plan = plan
        self.file_worker.actor.wake(self.cluster.pace.between(0.003, 0.02))
        return True

    def _work_beside_for_ever(self) -> None:
        self.file_plan = None
        while True:
            if self.file_plan is None:
                nap(None)
                continue
            (action,) = self.file_plan.actions
            self.cluster.acts(self.name, self.file_plan.situation, action)
            try:
                self.cluster.did(self.name, action, perform(self.clients, action))
            except ClusterError as error:
                self.cluster.did_not(self.name, action, error)
            else:
                self.ticker.actor.wake(self.cluster.pace.between(0.003, 0.02))
            self.file_actions_done += 1
            self.file_plan = None

    def _work_for_ever(self) -> None:
        self.plan = None
        while True:
            if self.plan is None:
                nap(None)
                continue
            went_well = self._carry_out(self.plan)
            self.plan = None
            if went_well:
                self.ticker.actor.wake(self.cluster.pace.between(0.003, 0.02))

    def _carry_out(self, plan: Plan) -> bool:
        for action in plan.actions:
            self.cluster.acts(self.name, plan.situation, action)
            try:
                outcome = perform(self.clients, action)
            except ClusterError as error:
                self.actions_done += 1
                self.cluster.did_not(self.name, action, error)
                return False
            self.actions_done += 1
            self.cluster.did(self.name, action, outcome)
        return True

    def _guard(self) -> float:
        due_s = due_in_s(lease_file.read(self.config.paths.lease_file), self.cluster.schedule.now_s)
        if due_s == 0 and self.database.is_primary:
            self.cluster.tell(self.name, "is fenced by its own guard: the lease was not renewed in time")
            self.kill_database()
        return 1.0 if not due_s else max(0.02, min(due_s, 1.0))

    def _watch(self) -> float:
        """Hold a connection to the leader's guard, and say so when nobody listens there."""
        lease = self.cluster.consul.lease
        leader = self.cluster.machines.get(lease.holder or "")
        if leader is not None and leader is not self and leader.consul_up and self.consul_up:
            self.consul_client.suspect(None if leader.guard_listens else lease.term)
        return WATCH_S

    # What happens to it.

    def boot(self) -> None:
        """Power on; every program starts, and the database does not."""
        self.up = True
        self.start_programs()

    def start_programs(self) -> None:
        """Start whatever does not run."""
        for program in self._programs():
            if not program.alive:
                program.start(self.cluster.pace.between(0.05, 0.5))
        self.guard_runs = True
        self.guard.wake(0.1)
        self.watcher.wake(self.cluster.pace.between(0.1, 0.3))

    def kill_programs(self) -> None:
        """Kill -9 of everything but Consul."""
        for program in (*self._programs(), *self.orphans):
            program.kill()
        self.uploading.clear()
        self.guard.stop()
        self.guard_runs = False
        self.watcher.stop()
        self.kill_database()

    def _programs(self) -> tuple[Program, ...]:
        """Ticks and actions; with files there are two more, and an upload may be killed as well."""
        both = (self.ticker, self.worker)
        return (*both, self.file_worker, self.rest) if self.cluster.with_files else both

    def kill_worker(self) -> None:
        """Kill -9 of the Celery workers, and of the REST service; their supervisor starts them again."""
        for program in self._programs():
            program.kill()
        self.uploading.clear()
        self.start_programs()

    def kill_database(self) -> None:
        """The postmaster gets SIGQUIT or worse."""
        self.database.crash()

    def crash(self) -> None:
        """Power off: memory is gone, what was synced to disk is not."""
        self.kill_programs()
        self.thaw()
        self.up = False
        self.memory_files.clear()
        self.services.started.clear()

    def freeze(self, *parts: str) -> None:
        """SIGSTOP of the parts named, or of the whole machine."""
        for actor in self._parts(parts):
            actor.freeze()
        self.frozen = self.frozen or not parts
        self.database.frozen = self.database.frozen or not parts or "database" in parts

    def thaw(self) -> None:
        """SIGCONT of everything: each part goes on where it was, whatever has happened meanwhile."""
        self.frozen = self.database.frozen = False
        for actor in [*self._parts(()), *(orphan.actor for orphan in self.orphans)]:
            actor.thaw()
        self.database_changed()

    def _parts(self, names: tuple[str, ...]) -> list[Actor]:
        parts = {
            "ticker": self.ticker.actor,
            "worker": self.worker.actor,
            "files": self.file_worker.actor,
            "rest": self.rest.actor,
            "guard": self.guard,
            "database": self.background,
            "watcher": self.watcher,
        }
        return [parts[name] for name in names or parts]
