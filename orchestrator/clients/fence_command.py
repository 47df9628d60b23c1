"""The only thing that another member's key may do on this machine: stop its database.

It is the forced command of that key in ``authorized_keys`` (see ``ssh_files``), run with ``python -I -S``.
It imports almost nothing, because a new leader waits for it. It reads nothing that a client sends but the
request itself, ``fence <term>``, and answers with one word:

- ``fenced``: the database does not run (any more), or as a standby, which acknowledges nothing to clients;
- ``signalled``: it has been told to end, and has not ended yet;
- ``newer``: this node holds a newer term than the one that asks; nothing was done;
- ``refused``: not a request that is understood; nothing was done.
"""

# pathlib would be a third of the start-up time.
# ruff: noqa: PTH110, PTH118, PTH123, PTH115
import json
import os
import signal
import sys
import time

WAIT_S = 0.5
POLL_S = 0.005
MAX_DIGITS = 18


def main(lease_file: str, data_folder: str) -> str:
    """Answer the request that sshd hands over. The arguments say which node this is."""
    term = requested_term(os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    if term is None:
        return "refused"
    if held_term(lease_file) > term:
        return "newer"
    # The old leader may have noticed by itself, and may just be coming back as a detached standby.
    harmless = os.path.exists(os.path.join(data_folder, "standby.signal"))
    return "fenced" if harmless or stop_database(data_folder) else "signalled"


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
