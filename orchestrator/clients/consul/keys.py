"""The keys in Consul, and what lies there. Values are JSON of the model's dataclasses (see ``codec``).

========================== ======================================================================
cluster/leader             the lease; held by a session; value ``{"holder": name}``
cluster/announcement       ``Announcement`` of the present leader
cluster/sync               ``SyncRecord``
cluster/switchover         ``Switchover`` that was asked for
cluster/pause              exists while the cluster is paused
cluster/forced             ``Forced``: an operator's word, for one round
cluster/members/<name>     ``Member``
cluster/removed/<name>     exists for ever for each name that was removed
cluster/reports/<name>     ``Report`` of a detached node
cluster/claims/<name>      ``Claim`` of a node that is back from minority mode
cluster/suspicions/<name>  number of the term whose leader this node cannot reach
cluster/files              ``FilesRecord`` of the present leader
cluster-files/<name>       ``FilesReport``; outside of ``cluster/``, so that it wakes nobody's loop
cluster-status/<name>      ``NodeStatus``; likewise
history/<number>           ``HistoryEntry``; 20 digits, so that the order of the keys is that of the entries
========================== ======================================================================
"""

from __future__ import annotations

EVERYTHING = "cluster"  # The prefix of all that a view is made of: one read shows one moment.
WATCHED = "cluster/"
LEASE = "cluster/leader"
ANNOUNCEMENT = "cluster/announcement"
SYNC = "cluster/sync"
SWITCHOVER = "cluster/switchover"
PAUSE = "cluster/pause"
FORCED = "cluster/forced"
MEMBERS = "cluster/members/"
REMOVED = "cluster/removed/"
REPORTS = "cluster/reports/"
CLAIMS = "cluster/claims/"
SUSPICIONS = "cluster/suspicions/"
FILES = "cluster/files"
FILE_REPORTS = "cluster-files/"
STATUSES = "cluster-status/"
HISTORY = "history/"


def history(number: int) -> str:
    """The key of one history entry."""
    return f"{HISTORY}{number:020d}"
