"""The services of a machine with systemd: its units ``cloudify-<service>``.

Anybody may read how they are, over D-Bus. To change it takes root: this process asks one small program that
may run with sudo, for one of a fixed list of verbs (``installer/sudo_trampoline.py``).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from jeepney import DBusAddress, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

from orchestrator.model.errors import NotFound, ServicesUnavailable

PREFIX, SUFFIX = "cloudify-", ".service"
UNITS = Path("/etc/systemd/system")
TRAMPOLINE = Path("/opt/cloudify/sudo_trampoline.py")

CALL_TIMEOUT_S = 5.0
START_TIMEOUT_S = 10.0
STOP_MARGIN_S = 10.0
POLL_S = 0.02

SYSTEMD = DBusAddress(
    "/org/freedesktop/systemd1",
    bus_name="org.freedesktop.systemd1",
    interface="org.freedesktop.systemd1.Manager",
)

WANTED = frozenset({"active", "activating", "reloading"})
ALIVE = WANTED | {"deactivating"}
INACTIVE = "inactive"


def unit_of(name: str) -> str:
    """The unit of a service."""
    return f"{PREFIX}{name}{SUFFIX}"


class SystemdServices:
    """See ``Services``. ``stop_timeout_s``: how long the slowest of them may take to end."""

    def __init__(self, stop_timeout_s: float, units: Path = UNITS) -> None:
        self._stop_timeout_s = stop_timeout_s + STOP_MARGIN_S
        self._units = units

    def known(self) -> frozenset[str]:
        """See ``Services``."""
        return frozenset(_name(path.name) for path in self._units.glob(unit_of("*")))

    def running(self) -> frozenset[str]:
        """See ``Services``."""
        return frozenset(name for name, state in _states().items() if state in WANTED)

    def start(self, name: str) -> None:
        """See ``Services``."""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while (state := self._state(name)) not in WANTED:
            if state != "deactivating":
                _change("start", name)
            _wait(deadline_s, f"The service {name} did not start; it is {state}.")

    def stop(self, name: str) -> None:
        """See ``Services``."""
        deadline_s = time.monotonic() + self._stop_timeout_s
        if self._state(name) in WANTED:
            _change("stop", name)
        while (state := self._state(name)) in ALIVE:
            _wait(deadline_s, f"The service {name} did not stop; it is {state}.")

    def restart(self, name: str) -> None:
        """See ``Services``."""
        self.stop(name)
        self.start(name)

    def kill(self, name: str) -> None:
        """See ``Services``. Nothing is asked before: what looks at the machine may hang with its disk."""
        _change("kill", name)

    def _state(self, name: str) -> str:
        if name not in (known := self.known()):
            raise NotFound(f"There is no service {name!r} here. Services: {', '.join(sorted(known))}.")
        # systemd forgets units that are at rest.
        return _states().get(name, INACTIVE)


def _name(unit: str) -> str:
    return unit.removeprefix(PREFIX).removesuffix(SUFFIX)


def _states() -> Mapping[str, str]:
    """The states of the units that systemd has in memory (org.freedesktop.systemd1(5))."""
    call = new_method_call(SYSTEMD, "ListUnitsByPatterns", "asas", ([], [unit_of("*")]))
    try:
        with open_dbus_connection(bus="SYSTEM") as bus:
            reply = bus.send_and_get_reply(call, timeout=CALL_TIMEOUT_S)
    except (OSError, KeyError, TimeoutError) as error:
        raise ServicesUnavailable(f"systemd does not answer over D-Bus: {error}") from error
    if reply.header.message_type is not MessageType.method_return:
        raise ServicesUnavailable(f"systemd refuses: {' '.join(map(str, reply.body))}")
    return {_name(unit): active for unit, _, _, active, *_ in reply.body[0]}


def _change(verb: str, name: str) -> None:
    sudo = () if os.geteuid() == 0 else ("sudo", "--non-interactive")
    command = [*sudo, str(TRAMPOLINE), verb, name]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServicesUnavailable(f"{verb} {name}: {error}") from error
    if done.returncode:
        raise ServicesUnavailable(f"{verb} {name}: {done.stderr.strip() or done.returncode}")


def _wait(deadline_s: float, complaint: str) -> None:
    if time.monotonic() > deadline_s:
        raise ServicesUnavailable(complaint)
    time.sleep(POLL_S)
