"""What another member's key may do on this machine: stop its database, ask it for its word, read its files.

It is the forced command of that key in ``authorized_keys`` (see ``ssh_files``), run with ``python -I -S``.
It imports almost nothing, because a new leader waits for it. It reads nothing that a client sends but the
request itself, which begins with one of five verbs; whatever else is asked for is ``refused``.

``fence <term>`` stops the database, and answers with one word:

- ``fenced``: the database does not run (any more), or as a standby, which acknowledges nothing to clients;
- ``signalled``: it has been told to end, and has not ended yet;
- ``newer``: this node holds a newer term than the one that asks; nothing was done.

``confirm <term> <modified> <milliseconds> <name>`` is asked by the leader of a term, which began when the
lease was last ``modified``, while Consul is gone. The answer is one word:

- ``follows``: by what this node knows that is its leader, and it will take no part in a round for so long;
- ``no``: it knows of another one, or of none, or has taken part in a later round.

``standing`` is asked by a member that is cut off from Consul. The answer is JSON: what this node's last tick
left in its lease file of ``cut_off``, ``minority``, ``led`` and ``place``, and with ``fresh`` whether it did
so lately.

``units`` answers with the list of the units in the replicated folders, as JSON.

``files --server --daemon .`` becomes an rsync daemon for this one connection, which serves the replicated
folders and nothing else, for reading (rsync's manual, "Using rsync-daemon features via a remote-shell
connection"). Its configuration is this node's own (``ssh_files``). A plain remote rsync would not do: what a
client asks for is only half in its arguments, and its filters may have the sender open any file.
"""

# pathlib would be a third of the start-up time.
# ruff: noqa: PTH103, PTH105, PTH110, PTH118, PTH123, PTH115
import json
import os
import signal
import sys
import time

WAIT_S = 0.5
POLL_S = 0.005
MAX_DIGITS = 18
LONGEST_WORD_MS = 600_000

FRESH_S = 10.0
STANDING = ("cut_off", "minority", "led", "place")

DEPTH = 4
"""A unit is the folder ``<kind>/<tenant>/<id>/<32 hexadecimal digits>``."""

HEX = frozenset("0123456789abcdef")
SERVE = "files --server --daemon ."


def main(own: "list[str]") -> str:
    """Answer the request that sshd hands over. The arguments say which node this is."""
    lease_file, promise_file, word_file, data_folder, files, rsync, rsync_config = own
    request = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    if request == "units":
        return json.dumps(units(files))
    if request == "standing":
        return json.dumps(standing(time.clock_gettime(time.CLOCK_BOOTTIME), content_of(lease_file)))
    if request == SERVE:
        # The folder must be there; what rsync finds in the environment must not change what it does.
        os.makedirs(files, exist_ok=True)
        os.execve(rsync, [rsync, "--server", "--daemon", f"--config={rsync_config}", "."], {})  # noqa: S606
    if asked := requested_word(request):
        return "follows" if confirm(*asked, lease_file, promise_file, word_file) else "no"
    term = requested_term(request)
    return "refused" if term is None else fence(term, lease_file, data_folder)


def fence(term: int, lease_file: str, data_folder: str) -> str:
    """Stop the database on behalf of the leader of ``term``."""
    if held_term(lease_file) > term:
        return "newer"
    # The old leader may have noticed by itself, and may just be coming back as a detached standby.
    harmless = os.path.exists(os.path.join(data_folder, "standby.signal"))
    return "fenced" if harmless or stop_database(data_folder) else "signalled"


def confirm(  # noqa: PLR0913 - the request, and the files that it is about
    term: int, modified: int, for_ms: int, leader: str, lease_file: str, promise_file: str, word_file: str
) -> bool:
    """Give a leader this node's word, if it follows that leader in that term.

    First the word, then a second look for a promise: whoever promises looks for a word after that, so one of
    the two always sees the other (``orchestrator.record.word``).
    """
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    if not follows(term, leader, now_s, content_of(lease_file)):
        return False
    if promised_since(modified, content_of(promise_file)):
        return False
    word = {"term": term, "until_s": now_s + for_ms / 1000, "written_at_s": now_s}
    beside = f"{word_file}.{os.getpid()}"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(word, file)
    os.replace(beside, word_file)
    return not promised_since(modified, content_of(promise_file))


def follows(term: int, leader: str, now_s: float, lease: "dict[str, object]") -> bool:
    """Whether by this node's newest look at Consul that leader leads in that term.

    What was written in the future was written before this machine was started, and says nothing.
    """
    known = lease.get("member") is True and lease.get("removed") is False and not lease.get("minority")
    written_at_s = lease.get("written_at_s")
    present = isinstance(written_at_s, float) and written_at_s <= now_s
    return known and present and (lease.get("term"), lease.get("leader")) == (term, leader)


def standing(now_s: float, lease: "dict[str, object]") -> "dict[str, object]":
    """How this node stands by its last tick."""
    written_at_s = lease.get("written_at_s")
    fresh = isinstance(written_at_s, float) and now_s - FRESH_S <= written_at_s <= now_s
    return {"fresh": fresh, **{name: lease.get(name) for name in STANDING}}


def promised_since(modified: int, promise: "dict[str, object]") -> bool:
    """Whether this node has promised in a round that began after the lease was ``modified``."""
    return bool(promise) and not (isinstance(round_ := promise.get("round"), int) and round_ < modified)


def content_of(path: str) -> "dict[str, object]":
    """A small file of this node; empty when it is not there. One that is no JSON ends the request."""
    try:
        with open(path, "rb") as file:
            content: dict[str, object] = json.load(file)
    except FileNotFoundError:
        return {}
    return content


def requested_word(request: str) -> "tuple[int, int, int, str] | None":
    """Term, ModifyIndex, milliseconds and name of the leader that asks; None when the request is another."""
    verb, *rest = request.split(" ")
    if verb != "confirm" or len(rest) != 4:  # noqa: PLR2004 - that many were named
        return None
    *numbers, leader = rest
    if not all(number.isascii() and number.isdigit() and len(number) <= MAX_DIGITS for number in numbers):
        return None
    term, modified, for_ms = map(int, numbers)
    return (term, modified, for_ms, leader) if for_ms <= LONGEST_WORD_MS else None


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
    """The term that this node leads in, as far as its last tick knew; 0 when in none.

    Either it holds the lease, or it goes on by the word of the members.
    """
    try:
        with open(lease_file, "rb") as file:
            state = json.load(file)
        return int(state["term"]) if state["held"] or state["serving"] else 0
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
    sys.stdout.write(f"{main(sys.argv[1:])}\n")
