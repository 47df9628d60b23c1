"""Everything that can happen (``FAULTS``), and what cannot be made to happen here (``NOT_HERE``)."""

from tests.chaos.faults import network, operator, processes, stores
from tests.chaos.faults.catalogue import FAULTS, Deed, Fault, Nonsense, understood

NOT_HERE = {
    "clock jumps": (
        "All hosts share the clock of this machine: time namespaces do not cover CLOCK_REALTIME, and a jump"
        " of the machine's own clock would hit everything on it. Leases are judged by CLOCK_BOOTTIME, which"
        " nobody can set; the simulation plays clocks that differ."
    ),
    "constant delay": (
        "This kernel has no netem. What delays is a link of 400 kbit/s whose packets wait in a queue"
        " (`slow the link of`)."
    ),
    "a disk with a bandwidth": (
        "The cgroup controller for disks is not there. A disk that stands still again and again stands for it"
        " (`slow the disk of`)."
    ),
    "a machine that forgets what was not synced": (
        "A killed process leaves the page cache behind; only a power failure of a real machine loses it."
    ),
}
"""With the reason, and with what comes nearest."""

__all__ = [
    "FAULTS",
    "NOT_HERE",
    "Deed",
    "Fault",
    "Nonsense",
    "network",
    "operator",
    "processes",
    "stores",
    "understood",
]
