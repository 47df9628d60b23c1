"""Managers on machines with systemd, installed and removed by the documented commands."""

from __future__ import annotations

from tests.cluster.machines.managers import BIN

EVERYTHING = (
    "find / -xdev ( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/tmp"
    " -o -path /var/log -o -path /opt/cloudify -o -path /root ) -prune -o -print"
)
OF_OTHERS = {"/etc/group-", "/etc/gshadow-", "/etc/passwd-", "/etc/shadow-"}
"""What Debian's own tools leave behind when users change."""


def picture(node) -> set[str]:
    """The files, users, groups, units and log folders of a machine."""
    files = set(node.run(*EVERYTHING.split()).stdout.splitlines()) - OF_OTHERS
    names = {
        f"{database} {line.split(':')[0]}"
        for database in ("passwd", "group")
        for line in node.run("getent", database).stdout.splitlines()
    }
    units = node.run("systemctl", "list-units", "--all", "--plain", "--no-legend").stdout
    ours = {word for line in units.splitlines() for word in line.split()[:1] if "cloudify" in word}
    folders = set(node.run("find", "/var/log", "/run", "-maxdepth", "1", "-name", "cloudify*").stdout.split())
    return files | names | ours | folders


def test_what_is_installed_can_be_removed_without_a_trace(machines):
    node = machines["n3"]
    before = picture(node)
    refused = node.run(f"{BIN}/cfy_manager", "install", "--host-ip", "192.0.2.1", check=False)
    assert refused.returncode == 1
    assert "no address of this machine" in refused.stderr
    assert picture(node) == before

    node.run(f"{BIN}/cfy_manager", "install", timeout_s=300)
    assert picture(node) > before
    node.run(f"{BIN}/cfy_manager", "remove", "-f", timeout_s=300)
    assert picture(node) - before == set()


def test_installing_again_changes_nothing(managers):
    node, leader = managers.bed["n1"], managers.leader()
    told = managers.install_one(node)
    assert told["restart_needed"] is False
    assert told["admin_password"] is None
    assert managers.whole() is leader


def test_nothing_of_a_manager_runs_as_root(managers):
    for node in managers.bed:
        listed = node.run("systemctl", "list-units", "cloudify-*.service", "--plain", "--no-legend").stdout
        for unit in (line.split()[0] for line in listed.splitlines()):
            pid = node.run("systemctl", "show", "--property=MainPID", "--value", unit).stdout.strip()
            user = "cfyuser_consul" if unit == "cloudify-consul.service" else "cfyuser"
            # ps cuts off a name that is too long for its column.
            assert node.run("ps", "-o", "user:32=", "-p", pid).stdout.strip() == user, unit
