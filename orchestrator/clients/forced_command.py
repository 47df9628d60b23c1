"""All that another member's key may do on this machine: stop its database, and read its replicated files.

It is the forced command of that key in ``authorized_keys`` (see ``ssh_files``), run with ``python -I -S``.
It imports almost nothing, because a new leader waits for it. It reads nothing that a client sends but the
request itself, which begins with one of three verbs; whatever else is asked for is ``refused``.

``fence <term>`` stops the database, and answers with one word:

- ``fenced``: the database does not run (any more), or as a standby, which acknowledges nothing to clients;
- ``signalled``: it has been told to end, and has not ended yet;
- ``newer``: this node holds a newer term than the one that asks; nothing was done.

``units`` answers with the list of the units in the replicated folders, as JSON.

``files --server --daemon .`` becomes an rsync daemon for this one connection, which serves the replicated
folders and nothing else, for reading (rsync's manual, "Using rsync-daemon features via a remote-shell
connection"). Its configuration is this node's own (``ssh_files``). A plain remote rsync would not do: what a
client asks for is only half in its arguments, and its filters may have the sender open any file.
"""

# pathlib would be a third of the start-up time.
# ruff: noqa: PTH103, PTH110, PTH118, PTH123, PTH115
import json
import os
import signal
import sys
import time

WAIT_S = 0.5
POLL_S = 0.005
MAX_DIGITS = 18


DEPTH = 4
"""A unit is the folder ``<kind>/<tenant>/<id>/<32 hexadecimal digits>``."""

HEX = frozenset("0123456789abcdef")
SERVE = "files --server --daemon ."


def main(lease_file: str, data_folder: str, files: str, rsync: str, rsync_config: str) -> str:
    """Answer the request that sshd hands over. The arguments say which node this is."""
    request = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    if request == "units":
        return json.dumps(units(files))
    if request == SERVE:
        # The folder must be there; what rsync finds in the environment must not change what it does.
        os.makedirs(files, exist_ok=True)
        os.execve(rsync, [rsync, "--server", "--daemon", f"--config={rsync_config}", "."], {})  # noqa: S606
    term = requested_term(request)
    return "refused" if term is None else fence(term, lease_file, data_folder)


def fence(term: int, lease_file: str, data_folder: str) -> str:
    """Stop the database on behalf of the leader of ``term``."""
    if held_term(lease_file) > term:
        return "newer"
    # The old leader may have noticed by itself, and may just be coming back as a detached standby.
    harmless = os.path.exists(os.path.join(data_folder, "standby.signal"))
    return "fenced" if harmless or stop_database(data_folder) else "signalled"


def units(files: str) -> "list[str]":
    """All units below ``files``, whole as they are: a unit is renamed into its place."""
    found = [""]
    for _ in range(DEPTH):
        found = [child for folder in found for child in folders(files, folder)]
    return [path for path in found if is_unit(path)]


def folders(files: str, folder: str) -> "list[str]":
    """The true folders in one folder; none when it has just been removed."""
    try:
        with os.scandir(os.path.join(files, folder)) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [f"{folder}/{name}" if folder else name for name in names]


def is_unit(path: str) -> bool:
    """Whether this is the path of a unit: nothing in it leads anywhere else."""
    parts = path.split("/")
    if len(parts) != DEPTH or any(part in {"", ".", ".."} or "\0" in part for part in parts):
        return False
    kind, name = parts[0], parts[-1]
    # A path that begins with a letter cannot be taken for an option.
    return kind.isascii() and kind.isalpha() and len(name) == 32 and HEX.issuperset(name)  # noqa: PLR2004


def requested_term(request: str) -> "int | None":
    """The term of the new leader that asks; None when the request is anything but ``fence <term>``."""
    verb, _, term = request.partition(" ")
    understood = verb == "fence" and term.isascii() and term.isdigit() and len(term) <= MAX_DIGITS
    return int(term) if understood else None


def held_term(lease_file: str) -> int:
    """The term that this node holds the lease in, as far as its last tick knew; 0 when it holds none."""
    try:
        with open(lease_file, "rb") as file:
            state = json.load(file)
        return int(state["term"]) if state["held"] else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def stop_database(data_folder: str) -> bool:
    """Have PostgreSQL crash at once (SIGQUIT); whether it is gone."""
    pid = postmaster(data_folder)
    if pid is None:
        return True
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        # Asked again: with the handle open, the number cannot pass on to another process in between.
        if postmaster(data_folder) == pid:
            signal.pidfd_send_signal(handle, signal.SIGQUIT)
    except ProcessLookupError:
        return True
    finally:
        os.close(handle)
    return ended(data_folder, pid)


def ended(data_folder: str, pid: int) -> bool:
    """Wait for the end of the database, for a short and bounded time; whether it has come."""
    deadline_s = time.monotonic() + WAIT_S
    while postmaster(data_folder) == pid:
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True


def postmaster(data_folder: str) -> "int | None":
    """The process id of the server that runs on the data folder; None when there is none.

    The number on file may be a leftover and belong to anybody by now: the server of this folder is the one
    that works in it.
    """
    try:
        with open(os.path.join(data_folder, "postmaster.pid"), encoding="ascii") as file:
            pid = int(file.readline())
        folder = os.readlink(f"/proc/{pid}/cwd")
        return pid if folder == os.path.realpath(data_folder) else None
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    sys.stdout.write(f"{main(*sys.argv[1:])}\n")
