"""A machine's network, mounts and processes as LXC wants them, in namespaces that end with this process.

``make vagrant-lxc`` begins the namespaces; in them may be done what would leave its marks on a machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.cluster.bed import cache, host, image, wheelhouse
from tests.cluster.bed.host import call

PROJECT = Path(__file__).parents[3]
COMMAND_S = 1200.0
BRIDGE, PRIVATE = "lxcbr0", "cfyprivate"
HOST_ADDRESS, LEASES = "10.0.3.1", "10.0.3.2,10.0.3.254"
BOX = "cloudify-node"
INSECURE_KEY = "/usr/share/rubygems-integration/all/gems/vagrant-*/keys/vagrant.pub"
"""It is the same everywhere, and Vagrant replaces it in each machine at first."""

OF_THE_BOX = """
set -e
useradd --create-home --shell /bin/bash vagrant
echo 'vagrant ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/vagrant
chmod 440 /etc/sudoers.d/vagrant
install -d -m 700 -o vagrant -g vagrant /home/vagrant/.ssh
install -m 600 -o vagrant -g vagrant /vagrant.pub /home/vagrant/.ssh/authorized_keys
rm /vagrant.pub
printf '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\n' >/etc/systemd/network/eth0.network
mkdir /etc/systemd/system/ssh.service.d
printf '[Service]\\nExecStartPre=\\nExecStartPre=ssh-keygen -A\\n' >/etc/systemd/system/ssh.service.d/own.conf
systemctl enable --quiet systemd-networkd ssh
: >/etc/machine-id
"""
"""What makes a box of the bed's image: Vagrant's user, an address by DHCP, and keys of each machine's own."""

CONFIGURATION = "lxc.include = /usr/share/lxc/config/common.conf\nlxc.arch = linux64\n"


def made_world(folder: Path) -> None:
    """Have the bridges, an address for whoever asks, and LXC's own folders in ``folder``."""
    for name in ("lxc", "cgroup"):
        (folder / name).mkdir()
    call("mount", "--bind", str(folder / "lxc"), "/var/lib/lxc")
    # The /sys of before shows the network of before; the cgroups below it stay.
    call("mount", "--rbind", "/sys/fs/cgroup", str(folder / "cgroup"))
    call("mount", "-t", "sysfs", "none", "/sys")
    call("mount", "--rbind", str(folder / "cgroup"), "/sys/fs/cgroup")
    call("umount", "--lazy", str(folder / "cgroup"))
    call("ip", "link", "set", "lo", "up")
    for bridge in (BRIDGE, PRIVATE):
        call("ip", "link", "add", bridge, "type", "bridge")
        call("ip", "link", "set", bridge, "up")
    call("ip", "address", "add", f"{HOST_ADDRESS}/24", "dev", BRIDGE)
    call(
        *("dnsmasq", "--conf-file=/dev/null", "--user=root", "--port=0", "--bind-interfaces"),
        *(f"--interface={BRIDGE}", "--except-interface=lo", f"--dhcp-range={LEASES}"),
        *(f"--dhcp-leasefile={folder / 'leases'}", f"--pid-file={folder / 'dnsmasq.pid'}"),
    )


def remove_cgroups() -> None:
    """Remove what LXC leaves of its own: a place for the processes that looked after the machines."""
    for folder in Path("/sys/fs/cgroup").glob("*/lxc.pivot"):
        with suppress(OSError):  # Machines that are not of this world are in it, too.
            folder.rmdir()


def box() -> Path:
    """A box of the bed's image, made once."""
    base = image.built()

    def make(folder: Path) -> None:
        root = folder / "rootfs"
        call("cp", "--archive", str(base), str(root), timeout_s=COMMAND_S)
        [key] = Path("/").glob(INSECURE_KEY.lstrip("/"))
        shutil.copy(key, root / "vagrant.pub")
        call("chroot", str(root), "sh", "-c", OF_THE_BOX)
        packed = ("--numeric-owner", "--xattrs", "--xattrs-include=*", "--use-compress-program=gzip -1")
        here = ("tar", "--create", f"--directory={folder}")
        call(*here, *packed, f"--file={folder / 'rootfs.tar.gz'}", "./rootfs", timeout_s=COMMAND_S)
        shutil.rmtree(root)
        (folder / "metadata.json").write_text(json.dumps({"provider": "lxc", "version": "1.0.0"}))
        (folder / "lxc-config").write_text(CONFIGURATION)
        files = ("metadata.json", "lxc-config", "rootfs.tar.gz")
        call(*here, f"--file={folder / 'node.box'}", *files, timeout_s=COMMAND_S)
        (folder / "rootfs.tar.gz").unlink()

    key = cache.digest([str(base), OF_THE_BOX, CONFIGURATION])
    return cache.made_once("boxes", key, make) / "node.box"


class Vagrant:
    """Vagrant, on the project's Vagrantfile, with all that it keeps in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._wheels = folder / "wheels"
        self._environment = {
            **host.environment(),
            "VAGRANT_CWD": str(PROJECT / "vagrant"),
            "VAGRANT_HOME": str(folder / "home"),
            "VAGRANT_DOTFILE_PATH": str(folder / "machines"),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_DEFAULT_PROVIDER": "lxc",
            "WHEELS": str(self._wheels),
        }

    def prepare(self) -> None:
        """Give it a box, and the wheels of the project in one folder."""
        self._wheels.mkdir()
        for wheels in wheelhouse.folders():
            for wheel in wheels.iterdir():
                shutil.copy(wheel, self._wheels)
        self.run("box", "add", "--name", BOX, str(box()))

    def run(self, *words: str, **variables: str) -> str:
        """``vagrant`` with these words; what it said, which is also printed. It has to succeed."""
        done = subprocess.run(
            ("vagrant", *words),
            env={**self._environment, **variables}, cwd=os.sep, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=COMMAND_S, check=False,
        )  # fmt: skip
        print(done.stdout)  # noqa: T201  pytest shows it when the story fails.
        assert done.returncode == 0, f"vagrant {' '.join(words)} ended with {done.returncode}"
        return done.stdout

    def ssh(self, machine: str, command: str) -> str:
        """What a command says on a machine."""
        return self.run("ssh", machine, "--no-tty", "--command", command)

    def members(self, asked: str) -> dict[str, dict[str, Any]]:
        """The members by name, as a machine's root sees them."""
        told = self.ssh(asked, "sudo cfy --json cluster nodes list 2>/dev/null || echo []")
        return {each["name"]: each for each in json.loads(told)}
