"""One machine of a bed: a container with a real systemd, with a disk, an address and a cable of its own."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import uuid
from pathlib import Path, PurePosixPath

from tests.cluster.bed import host, network, supervisor, wheelhouse
from tests.cluster.bed.cgroup import Cgroup
from tests.cluster.bed.errors import BedError
from tests.cluster.bed.host import call
from tests.cluster.bed.network import Network
from tests.cluster.bed.running import TIMEOUT_S, run

BOOT_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 120.0
COPY_TIMEOUT_S = 300.0
INSTALL_TIMEOUT_S = 600.0
PROVISION = Path(__file__).parents[3] / "vagrant" / "provision"
"""The scripts that make a manager of a machine, here and with Vagrant."""

HAS_BOOTED = {"running", "degraded"}
OFF, FROZEN = "off", "frozen"
POWER_OFF = "-RTMIN+4"
"""The signal by which systemd is asked to end everything in an orderly way."""

NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--no-fork")
ENVIRONMENT = (f"PATH={host.PATH}", "HOME=/root", "USER=root", "LANG=C.UTF-8", "TERM=dumb")
WAITING = ("sh", "-c", '"$@"; exit $?', "sh")
"""What waits, outside of the node's processes, for the one that runs in it.

nsenter would do that too, but stop itself when a node's systemd, on its way down, stops everything for a
moment: nobody would let it go on, and the node would wait for it for 90 s.
"""


class Node:
    """A node of the bed of that name: ``n1`` to ``n9``; its disk lies in ``folder``."""

    def __init__(self, bed: str, name: str, folder: Path, image: Path) -> None:
        self.name, self.address = name, network.address_of(name)
        self.folder, self.image = folder, image
        self.console = folder / "console.log"
        self.disk = folder / "disk"
        """The root of the node's files, as seen from this machine; for looking at one that is off."""
        self._bed = bed
        self._network = Network(bed)
        self._cgroup = Cgroup(f"{bed}/{name}")

    @property
    def host_ip(self) -> str:
        """The address, as whoever writes to a cluster calls it (``demo.node``)."""
        return self.address

    def running(self) -> bool:
        """Whether it is on, and does something."""
        return self.state() not in {OFF, FROZEN}

    # What becomes of the machine.

    def begin_start(self) -> None:
        """Switch the node on; ``wait_until_up`` waits for the rest. Nothing happens when it is on."""
        if self._cgroup.occupied():
            return
        self._network.connect(self.name)
        self._network.plug(self.name, connected=True)
        self._make_disk()
        self._cgroup.make()
        self._cgroup.thaw()
        command = (sys.executable, "-I", supervisor.__file__, *self._container())
        # With a pure view of version 2 in the node, as on a real machine, whatever this one has.
        environment = {**host.environment(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        with self.console.open("a") as console:
            subprocess.run(
                ("setsid", "--fork", *self._cgroup.joined_by(*command)),
                env=environment, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                timeout=host.CALL_TIMEOUT_S, check=True,
            )  # fmt: skip

    def wait_until_up(self) -> None:
        """Wait until the node has booted. Raises ``BedError`` when it does not."""
        try:
            host.wait_for(lambda: self.state() in HAS_BOOTED, BOOT_TIMEOUT_S, f"{self.name} has booted")
        except BedError as error:
            raise BedError(f"{error}; its console said: {self._last_words()}") from error

    def start(self) -> None:
        """Switch the node on, plugged in, and wait until it has booted."""
        self.begin_start()
        self.wait_until_up()

    def stop(self) -> None:
        """Shut the node down in an orderly way."""
        if leader := self._leader():
            call("kill", POWER_OFF, str(leader))
        host.wait_for(lambda: not self._cgroup.occupied(), STOP_TIMEOUT_S, f"{self.name} is off")

    def reboot(self) -> None:
        """Have the node reboot itself in an orderly way, and wait until it is back."""
        before = self._leader()
        self.run("systemctl", "reboot", check=False)
        host.wait_for(
            lambda: self._leader() not in {before, None}, STOP_TIMEOUT_S, f"{self.name} begins again"
        )
        self.wait_until_up()

    def power(self) -> None:
        """Pull the plug: the cable goes dead first, so that nobody is told, and then everything at once."""
        self._network.plug(self.name, connected=False)
        self.kill()

    def kill(self) -> None:
        """Kill everything at once, with the cable in place: the kernel still refuses on the node's behalf."""
        self._cgroup.kill()

    def freeze(self) -> None:
        """Stop everything where it stands, as a machine does that hangs."""
        self._cgroup.freeze()

    def thaw(self) -> None:
        """Let a frozen node go on as if nothing had happened."""
        self._cgroup.thaw()

    def cut(self) -> None:
        """Pull the node's cable."""
        self._network.plug(self.name, connected=False)

    def heal(self) -> None:
        """Put the node's cable in again."""
        self._network.plug(self.name, connected=True)

    def state(self) -> str:
        """``off``, ``frozen``, or what systemd says of itself: ``starting``, ``running``, ``degraded``."""
        if self._cgroup.frozen():
            return FROZEN
        if self._leader() is None:
            return OFF
        try:
            return self.run("systemctl", "is-system-running", check=False).stdout.strip()
        except BedError:
            return OFF  # It went off a moment ago.

    # What is done on it.

    def run(
        self, *command: str, timeout_s: float = TIMEOUT_S, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the node's root, and return what it printed.

        Raises ``BedError`` when the node is off; ``CommandFailed`` when ``check`` and it fails;
        ``CommandTimedOut`` when it takes longer, and then it was killed with all that it started. A node
        that shuts down while a command runs in it waits for that one, dead or not, for 10 s.
        """
        called = self.called(*command)
        return run(
            self._cgroup.child(), self.name, called, command, timeout_s=timeout_s, check=check, stdin=stdin
        )

    def called(self, *command: str) -> tuple[str, ...]:
        """A command as it has to be called on this machine to run in the node."""
        leader = self._leader()
        if leader is None:
            raise BedError(f"{self.name} is off")
        return (
            "nsenter",
            f"--target={leader}",
            *NAMESPACES,
            "--",
            "env",
            "-i",
            *ENVIRONMENT,
            *WAITING,
            *command,
        )

    def copy(self, source: Path, target: str) -> None:
        """Copy a file or a folder of this machine; ``target`` is its whole new path. All belongs to root."""
        place = PurePosixPath(target)
        with tempfile.TemporaryFile() as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                archive.add(source, arcname=place.name, filter=_of_root)
            file.seek(0)
            self.run("mkdir", "-p", str(place.parent))
            command = ("tar", "--extract", "--file=-", f"--directory={place.parent}")
            child = self._cgroup.child()
            run(child, self.name, self.called(*command), command, timeout_s=COPY_TIMEOUT_S, stdin=file)

    def write(self, target: str, text: str) -> None:
        """Have a file with that text."""
        self.run("tee", target, stdin=text)

    def read(self, path: str) -> str:
        """The text in a file. Raises ``CommandFailed`` when there is none."""
        return self.run("cat", path).stdout

    def install_python(self, folder: str) -> None:
        """Make a virtual environment with the project as it is now, in that folder, without any network."""
        staging = f"/var/tmp/{uuid.uuid4().hex}"  # noqa: S108  It is the node's, where nobody else is.
        try:
            places = {f"{staging}/{wheels.parent.name}": wheels for wheels in wheelhouse.folders()}
            for place, wheels in places.items():
                self.copy(wheels, place)
            self.provision("program", WHEELS=" ".join(places), PROGRAM=folder)
        finally:
            self.run("rm", "-rf", staging, check=False)

    def provision(self, step: str, **variables: str) -> str:
        """Do one step of ``vagrant/provision`` on the node, as Vagrant does; what it printed.

        Raises ``CommandFailed``, and ``CommandTimedOut``.
        """
        given = (f"{name}={value}" for name, value in variables.items())
        place = f"/run/provision/{step}.sh"
        self.copy(PROVISION / f"{step}.sh", place)
        return self.run("env", *given, "sh", place, timeout_s=INSTALL_TIMEOUT_S).stdout

    # What it consists of.

    def remove(self) -> None:
        """Kill the node and remove what there is of it, but for its network."""
        self._cgroup.kill()
        self._cgroup.remove()
        host.remove_tree(self.folder)

    def _leader(self) -> int | None:
        """The process of this machine that is the first in the node; None: it is off, or only beginning."""
        return next(filter(_is_systemd, self._cgroup.processes()), None)

    def _container(self) -> tuple[str, ...]:
        name = self._network.namespace_of(self.name)
        return (
            *("systemd-nspawn", "--quiet", "--boot", "--console=pipe", "--register=no", "--keep-unit"),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            *(f"--directory={self.disk}", f"--machine={name}", f"--network-namespace-path=/run/netns/{name}"),
        )

    def _make_disk(self) -> None:
        upper, work, ready = (self.folder / name for name in ("upper", "work", "ready"))
        for folder in (upper, work, self.disk):
            folder.mkdir(parents=True, exist_ok=True)
        if not self.disk.is_mount():
            layers = f"lowerdir={self.image},upperdir={upper},workdir={work}"
            call("mount", "-t", "overlay", f"{self._bed}-{self.name}", "-o", layers, str(self.disk))
        if ready.exists():
            return
        etc = self.disk / "etc"
        (etc / "hostname").write_text(f"{self.name}\n")
        (etc / "hosts").write_text(network.hosts_file())
        (etc / "resolv.conf").write_text("")
        # With none, systemd would take this for a first boot, and enable every unit that there is.
        (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        call("chroot", str(self.disk), "ssh-keygen", "-A")
        ready.touch()

    def _last_words(self) -> str:
        return self.console.read_text(errors="replace")[-2000:] if self.console.exists() else "nothing"


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _is_systemd(pid: int) -> bool:
    """Whether it is the first process in a namespace below ours, and is done with becoming systemd."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        program = Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return False
    ids = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
    return len(ids) > 1 and ids[-1] == "1" and program == "systemd"
