"""The agent: a small program on another machine, which carries out operations there.

It is a Celery worker whose brokers are the members of the cluster: the one that leads has a broker, and the
agent goes round until it finds it (``consumer``). What it has begun and what became of it, it keeps on disk
(``ledger``): so a message that comes twice runs once, and an answer is delivered to whoever leads when there
is somebody again (``delivery``). What ``ctx`` asks, it asks the leader's REST service (``rest``,
``endpoint``). Start reading at ``worker``.
"""

__version__ = "0.1.0"
