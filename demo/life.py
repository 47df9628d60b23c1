"""The life of the demo: up, status, down. If something fails on the way up, nothing half-made is left."""

from __future__ import annotations

import fcntl
import json
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from demo.bed import Bed
from demo.cfy import Cfy
from demo.cluster import Cluster
from demo.errands import LEDGERS
from demo.places import make_private, remove_tree, seen_from_here
from demo.story import tell_failover, tell_formation, tell_profiles
from demo.teller import Teller
from orchestrator.clients.files import write_atomically
from orchestrator.model.errors import Conflict

FEWEST = 3
"""A cluster of so many can lose one."""

LOGS, LOCK = "logs", "lock"
OURS = (LOGS, LOCK, LEDGERS, "cfy", "demo.json", "ca.pem", "admin_password", "bed.json")


def up(root: Path, count: int, *, cluster: bool, failover: bool, teller: Teller) -> None:
    """Bring the demo up as far as asked for. Raises ``Conflict`` when it is up, and ``ClusterError``."""
    make_private(root)
    with _alone(root):
        _clear_way(root, teller)
        managers = Cluster(Bed(root, [f"n{number}" for number in range(1, count + 1)]))
        _up(managers, cluster=cluster, failover=failover, teller=teller)


def _up(managers: Cluster, *, cluster: bool, failover: bool, teller: Teller) -> None:
    cfy = Cfy(managers, teller)
    with _all_or_nothing(managers.bed, teller):
        _start(managers, teller)
        if cluster:
            tell_formation(managers, cfy, teller)
        if cluster and failover and len(managers.bed.nodes) < FEWEST:
            teller.say(f"  No failover is shown: with fewer than {FEWEST} managers, the rest is no majority.")
        elif cluster and failover:
            tell_failover(managers, cfy, teller)
        if not cluster:
            tell_profiles(managers, cfy, teller)
    _say_what_next(managers, cfy, teller, clustered=cluster)


def down(root: Path, teller: Teller) -> None:
    """End everything, and remove ``root``. Raises ``Conflict`` while somebody else brings it up."""
    if not root.exists():
        teller.say("The demo is not running.")
        return
    with _alone(root):
        bed = Bed.load(root)
        if bed is not None:
            with teller.step("Everything is ended and removed"):
                bed.destroy()
        _tidy(root)


def status(root: Path, teller: Teller) -> bool:
    """Say what runs; whether all of it does."""
    bed = Bed.load(root)
    if bed is None:
        teller.say("The demo is not running.")
        return False
    table = Table("node", "address", "processes", "services", box=None)
    for node in bed:
        services = sorted(node.clients.services.running()) if node.running() else []
        table.add_row(node.name, node.host_ip, str(len(node.pids())), ", ".join(services) or "none")
    teller.console.print(table)
    return all(node.running() for node in bed)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep others from bringing the demo up or down meanwhile. Raises ``Conflict`` when somebody does."""
    with (root / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = "The demo is being brought up or down by another process; end that one, or wait for it."
            raise Conflict(message) from None
        yield


def _clear_way(root: Path, teller: Teller) -> None:
    bed = Bed.load(root)
    if bed is None:
        _tidy(root, LOCK)
        return
    if any(node.running() for node in bed):
        raise Conflict(
            "The demo is already running. To see it: python -m demo status. To end it: make demo-stop."
        )
    with teller.step("What an earlier demo has left behind is removed"):
        bed.destroy()
        _tidy(root, LOCK)


def _start(managers: Cluster, teller: Teller) -> None:
    bed = managers.bed
    first, last = bed.nodes[0], bed.nodes[-1]
    teller.title(f"{len(bed.nodes)} managers, {first.name} to {last.name}, on {first.host_ip} and up")
    if bed.home != bed.root:
        teller.say(f"  [dim]PostgreSQL's user cannot reach {bed.root}; the data lies in {bed.home}[/]")
    with teller.step("They are installed"):
        managers.install()
    with teller.step("They are started, each alone, and serve"):
        managers.start()
    access = asdict(managers.access)
    nodes = [{"name": node.name, "host_ip": node.host_ip} for node in bed]
    content = {
        "nodes": nodes,
        "rest_port": access["port"],
        "rest_protocol": access["protocol"],
        **{name: access[name] for name in ("ca_file", "username", "password", "tenant")},
    }
    write_atomically(bed.root / "demo.json", json.dumps(content, indent=2) + "\n", mode=0o600)


@contextmanager
def _all_or_nothing(bed: Bed, teller: Teller) -> Iterator[None]:
    """Take everything down when the block fails or is interrupted; the logs stay, for who asks why."""
    make_private(bed.root)
    try:
        yield
    except BaseException as error:
        # The way down is not to be interrupted: it would leave processes that nobody knows of.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        kept = () if isinstance(error, KeyboardInterrupt) else (LOGS,)
        _keep_logs(bed)
        with teller.step("Everything is taken down again"):
            bed.destroy()
            _tidy(bed.root, *kept)
        if kept:
            teller.say(f"  The logs are in {bed.root / LOGS}.")
        raise


def _keep_logs(bed: Bed) -> None:
    for node in bed:
        if (node.home / "log").exists():
            shutil.copytree(node.home / "log", bed.root / LOGS / node.name, dirs_exist_ok=True)


def _tidy(root: Path, *kept: str) -> None:
    """Remove what a demo makes beside its bed, by name: other things may be in the folder as well."""
    for name in OURS:
        path = root / name
        if name in kept:
            continue
        if path.is_dir():
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    if not any(root.iterdir()):
        root.rmdir()


def _command_line() -> str:
    """How a user runs ``cfy`` from where he is."""
    script = Path(sys.executable).with_name("cfy")
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m cli.cfy"
    return shlex.quote(seen_from_here(script))


def _say_what_next(managers: Cluster, cfy: Cfy, teller: Teller, *, clustered: bool) -> None:
    teller.title("It is left running. What to try next")
    nodes = managers.bed.nodes
    replica = next((node for node in nodes if clustered and node is not managers.leader()), nodes[0])
    program = _command_line()
    lines = [f"export CFY_HOME={shlex.quote(str(cfy.home))}"]
    if clustered:
        lines += [
            f"{program} cluster nodes list",
            f"{program} cluster history",
            f"{program} cluster set-active {replica.name}",
            f"{program} cluster pause",
            f"{program} executions list",
        ]
    else:
        lines += [f"{program} cluster start --cluster-node-name {nodes[0].name}"]
        lines += [
            line
            for node in nodes[1:]
            for line in (
                f"{program} profiles use {node.name}",
                f"{program} cluster join {nodes[0].name} --cluster-node-name {node.name}",
            )
        ]
        lines += [f"{program} cluster nodes list"]
    for line in lines:
        teller.say(f"  [cyan]{line}[/]")
    access = seen_from_here(managers.bed.root / "demo.json")
    teller.say(f"  [dim]Access for other clients: {access}. The end: make demo-stop[/]")
