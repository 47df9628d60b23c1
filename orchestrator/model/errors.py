"""Every error that the cluster raises, in one tree.

::

    ClusterError
    ├── Unavailable              something outside did not answer in time; trying again may help
    │   ├── ConsulUnavailable
    │   ├── DatabaseUnavailable
    │   ├── ServicesUnavailable
    │   └── PeerUnavailable      another member, over SSH or REST
    ├── Stale                    the world has moved on since this was decided; the next tick decides anew
    │   ├── StaleTerm            the action carries an older term than the cluster's
    │   ├── StaleRound           the action carries an older round than this node has promised in
    │   └── LeaseLost            this node no longer holds the lease
    ├── Unfinished               a bounded wait was over before the work was done; the next tick goes on
    ├── Diverged                 this node's history has left the leader's, and a rewind could not mend it
    ├── Refused                  the request is wrong; nothing was changed
    │   ├── BadOption            an unknown node option, or a value that it does not take
    │   ├── NotFound             no such node
    │   └── Conflict             right request, wrong moment: taken name, already a member, not empty ...
    ├── FormationFailed          a start or join went wrong half-way; it has been undone
    └── ConfigurationError       a mistake in a configuration file: names the file, the key, what is allowed
"""


class ClusterError(Exception):
    """The root: whatever this project raises on purpose."""


class Unavailable(ClusterError):
    """Something outside this process did not answer in time."""


class ConsulUnavailable(Unavailable):
    """Consul did not answer, or has no leader."""


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not accept connections or did not answer in time."""


class ServicesUnavailable(Unavailable):
    """The service manager of this node did not answer."""


class PeerUnavailable(Unavailable):
    """Another member could not be reached."""


class Stale(ClusterError):
    """What was decided no longer fits the world; nothing was done."""


class StaleTerm(Stale):
    """The action belongs to an older term than the cluster's."""


class StaleRound(Stale):
    """The action belongs to an older round than the newest one this node has promised in."""


class Bound(Stale):
    """This node has given a leader its word, while Consul was gone, to take no part in a round yet."""


class LeaseLost(Stale):
    """This node no longer holds the lease."""


class Unfinished(ClusterError):
    """A bounded wait was over before the work was done."""


class Diverged(ClusterError):
    """This node's database has left the leader's history and could not be rewound."""


class Refused(ClusterError):
    """The request is wrong; the message says what would be right. Nothing was changed."""


class BadOption(Refused):
    """An unknown node option, or a value that it does not take."""


class NotFound(Refused):
    """There is no such node."""


class Conflict(Refused):
    """The request cannot be met in the present state."""


class FormationFailed(ClusterError):
    """A start or a join went wrong half-way and has been undone."""


class ConfigurationError(ClusterError):
    """A mistake in a configuration file."""
