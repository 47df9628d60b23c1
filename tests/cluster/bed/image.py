"""The disk that every node begins with: a Debian on which everything is that a manager needs from packages.

What the nodes get beyond a minimal Debian is installed by the project's own scripts, as on any machine.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cluster.bed import cache, host
from tests.cluster.bed.errors import BedError
from tests.cluster.bed.host import call

SUITE = "bookworm"
ROOT = "root"
PACKAGES = (
    # What makes it a machine that boots.
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "udev"),
    # What an administrator expects on it.
    *("iproute2", "iputils-ping", "nftables", "procps", "curl", "ca-certificates", "sudo", "logrotate"),
    *("python3", "python3-venv", "openssh-server", "openssh-client", "rsync", "debian-archive-keyring"),
)
PROJECT = Path(__file__).parents[3]
NEEDED = (
    *("scripts/apt.sh", "scripts/find-postgres.sh", "scripts/find-python.sh"),
    *("scripts/install-consul.sh", "scripts/install-packages.sh"),
    "vagrant/provision/packages.sh",
)
"""The project's own way to get a machine's packages, and what it stands on."""

SETTINGS = (
    "--variant=minbase",
    "--mode=root",
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)
HOOKS = (
    f'mkdir "$1/source" && cd "$BED_PROJECT" && cp --parents {" ".join(NEEDED)} "$1/source"',
    'chroot "$1" env SOURCE=/source sh /source/vagrant/provision/packages.sh',
    'rm -r "$1/source"',
    # Each node makes its own of these.
    'rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname" "$1/etc/resolv.conf"',
    'install -d -m 2755 "$1/var/log/journal"',
)
BUILD_TIMEOUT_S = 1800.0

# A build that is killed takes its children and its mounts along.
OF_ITS_OWN = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
)


def built() -> Path:
    """The folder of the image, made first if there is none for the current recipe: a minute or two.

    Raises ``BedError`` when it cannot be made.
    """
    return cache.made_once("images", f"{SUITE}-{_key()}", _build) / ROOT


def _key() -> str:
    scripts = [(PROJECT / name).read_bytes() for name in NEEDED]
    return cache.digest([SUITE, *PACKAGES, *SETTINGS, *HOOKS, *scripts])


def _build(folder: Path) -> None:
    hooks = [f"--customize-hook={hook}" for hook in HOOKS]
    command = [
        *OF_ITS_OWN,
        *("mmdebstrap", "--quiet", f"--include={','.join(PACKAGES)}", *SETTINGS, *hooks),
        *(SUITE, str(folder / ROOT), *sources()),
    ]
    environment = {**host.environment(), "BED_PROJECT": str(PROJECT)}
    log = folder / "log"
    with log.open("w") as out:
        done = subprocess.run(
            command, env=environment, stdout=out, stderr=out, timeout=BUILD_TIMEOUT_S, check=False
        )
    if done.returncode != 0:
        raise BedError(f"the image cannot be made: {log.read_text()[-3000:]}")


def sources() -> list[str]:
    """Where this machine itself gets such packages from; the variable ``BED_MIRROR`` names another mirror."""
    if mirror := os.environ.get("BED_MIRROR"):
        return [f"deb {mirror} {SUITE} main"]
    listed = call(
        "apt-get", "indextargets", "--format", "$(LABEL) $(CODENAME) $(REPO_URI)", "Created-By: Packages"
    )
    known = {tuple(line.split()) for line in listed.splitlines() if line.startswith("Debian")}
    suites = [
        (uri, suite) for _, suite, uri in known if suite in {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}
    ]
    # A Debian of another age: its mirror has this one, too.
    mirrors = [(uri, SUITE) for label, _, uri in known if label == "Debian"]
    chosen = suites if any(suite == SUITE for _, suite in suites) else mirrors[:1]
    if not chosen:
        raise BedError("apt knows no mirror of Debian on this machine; name one with BED_MIRROR=http://...")
    return sorted(f"deb {uri} {suite} main" for uri, suite in set(chosen))
