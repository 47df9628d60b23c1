"""Walks the machine that it runs on, as root and with Python alone, and prints what it met as JSON.

It reads from standard input ``{"folders": [...], "told": {"name of a secret": "the secret"}}``. The secrets
that lie on the machine it finds by itself. None is printed: only its name, and where it stands.
"""

import json
import os
import pwd
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

PSQL = "runuser -u cfyuser -- psql -h /run/cloudify -p 15432 -U postgres -At cloudify -c"
IN_TABLES = {
    "the hash of a password": "SELECT password FROM users",
    "the secret of a token": "SELECT secret FROM tokens",
}
ACCESS = """
import os, sys
letters = {"r": os.R_OK, "w": os.W_OK}
paths = sys.stdin.read().split("\\0")
may = ["".join(each for each in letters if os.access(path, letters[each])) for path in paths]
print(*may, sep="\\0", end="")
"""
SHORTEST = 8
EVERYWHERE = "/etc /run /tmp /var /home /root /opt /dev/shm"


def shell(command, *more):
    return subprocess.run([*command.split(), *more], capture_output=True, text=True, check=False).stdout


def secrets(told):
    """The secrets by what they are; of a key each line counts, wherever and in whatever form it stands."""
    found = {name: {text} for name, text in told.items()}
    for path in Path("/etc/cloudify").rglob("*"):
        text = path.read_text(errors="replace") if path.is_file() else ""
        if "PRIVATE KEY" in text:
            found[str(path)] = {line for line in text.splitlines() if "-----" not in line}
    found["the broker's password"] = {Path("/etc/cloudify/broker-password").read_text().strip()}
    agent = json.loads(Path("/etc/cloudify/consul/agent.json").read_text())
    found["the gossip key"] = {agent["encrypt"]}
    for name, statement in IN_TABLES.items():
        found[name] = set(shell(PSQL, statement).split())
    return {name: {part.encode() for part in parts if len(part) >= SHORTEST} for name, parts in found.items()}


def processes():
    """Every process of this machine, but for this one and those above it."""
    own, pid = set(), os.getpid()
    while pid:
        own.add(pid)
        pid = int(re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in own - {1}:
            yield entry


def process(entry):
    """What is known of a process; None: it has ended meanwhile."""
    try:
        status = dict(re.findall(r"^(\w+):\s+(.*)", (entry / "status").read_text(), re.MULTILINE))
        unit = re.search(r"(cloudify-[\w-]+)\.service", (entry / "cgroup").read_text())
        words = (entry / "cmdline").read_bytes()
        surroundings = (entry / "environ").read_bytes()
    except OSError:
        return None
    return {
        "pid": int(entry.name),
        "user": pwd.getpwuid(int(status["Uid"].split()[1])).pw_name,
        "unit": unit[1] if unit else "",
        "command": words.replace(b"\0", b" ").decode(errors="replace").strip(),
        "capabilities": int(status["CapEff"], 16),
        "no_new_privileges": status["NoNewPrivs"] == "1",
        "texts": {
            f"the command line of {entry.name}": words,
            f"the environment of {entry.name}": surroundings,
        },
    }


def open_to_anybody(paths):
    """What a user who has nothing to do with the manager may do with each of these, as letters: r, w."""
    command = ["runuser", "-u", "nobody", "--", sys.executable, "-I", "-c", ACCESS]
    told = subprocess.run(command, input="\0".join(paths), capture_output=True, text=True, check=True)
    return dict(zip(paths, told.stdout.split("\0"), strict=True))


def files(folders):
    """The files and folders, with what everybody may do with them."""
    listed = shell(f"find {' '.join(folders)} ! -type l -printf %p\\t%y\\t%m\\t%u\\t%g\\n")
    lines = [line.split("\t") for line in listed.splitlines()]
    anybody = open_to_anybody([path for path, *_ in lines])
    names = ("path", "kind", "mode", "user", "group")
    for line in lines:
        yield dict(zip(names, line, strict=True)) | {"mode": int(line[2], 8), "anybody": anybody[line[0]]}


def public_texts():
    """All logs, and whatever else anybody may read: each with its path."""
    logs = shell("find /var/log -type f -not -path /var/log/journal/*").splitlines()
    all_files = shell(f"find {EVERYWHERE} -xdev -type f -size -100M").splitlines()
    anybody = [path for path, may in open_to_anybody(all_files).items() if "r" in may]
    for path in dict.fromkeys(logs + anybody):
        with suppress(OSError):  # It may just have gone.
            yield path, Path(path).read_bytes()
    journal = subprocess.run(["journalctl", "--all", "--output=export"], capture_output=True, check=True)
    yield "the journal", journal.stdout


def leaks(known, texts):
    """Where which secret stands."""
    for where, text in texts:
        for name, parts in known.items():
            if any(part in text for part in parts):
                yield {"secret": name, "where": where}


def main():
    asked = json.load(sys.stdin)
    known = secrets(asked["told"])
    running = [found for found in map(process, processes()) if found]
    texts = [text for found in running for text in found.pop("texts").items()]
    met = {
        "secrets": sorted(known),
        "processes": running,
        "files": list(files(asked["folders"])),
        "leaks": [*leaks(known, texts), *leaks(known, public_texts())],
        "sockets": shell("ss -Htlnup").splitlines(),
    }
    json.dump(met, sys.stdout)


main()
