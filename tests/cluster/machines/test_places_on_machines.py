"""The tables of ports and files, which operators read, against machines."""

from __future__ import annotations

import re

from installer.places import PLACES, PORTS
from orchestrator.config import NodeConfig

FOLDERS = {
    "etc": "/etc/cloudify",
    "state": "/var/lib/cloudify",
    "run": "/run/cloudify",
    "log": "/var/log/cloudify",
}
SSH = 8303
OPEN_TO_OTHERS = 0o037
"""What Consul has to read it reads by its group; what is in which group test_walking_a_node looks at."""


def pattern(place) -> re.Pattern[str]:
    text = re.escape(place.pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.compile(f"{FOLDERS[place.folder]}/{text}")


def test_every_file_of_a_member_is_in_the_table_and_no_secret_can_be_read_by_others(managers):
    for node in managers.bed:
        # Of a link it counts who may read what it leads to.
        listed = node.run("find", "-L", *FOLDERS.values(), "!", "-type", "d", "-printf", "%p %m\n").stdout
        for line in listed.splitlines():
            path, mode = line.rsplit(" ", 1)
            places = [place for place in PLACES if pattern(place).fullmatch(path)]
            assert places, f"installer/places.py does not know {path}"
            # Folders protect what others' programs have written into them with a mode of their own.
            if places[0].secret and "**" not in places[0].pattern:
                assert not int(mode, 8) & OPEN_TO_OTHERS, line


def test_every_port_that_a_manager_listens_on_is_in_the_table(managers):
    usual = NodeConfig().ports.model_dump() | {"ssh": SSH}
    known = {usual[port.name] for port in PORTS}
    for node in managers.bed:
        listening = node.run("ss", "-Htlnup").stdout.splitlines()
        for line in listening:
            port = int(re.search(r":(\d+)\s", line)[1])
            pid = int((re.search(r"pid=(\d+)", line) or [0, 0])[1])
            unit = node.run("cat", f"/proc/{pid}/cgroup", check=False).stdout if pid else ""
            if "cloudify-" in unit:
                assert port in known, line
