"""Operations: what runs one task of a graph on the manager, and the messages about that.

``message`` is what engine, manager and agents say to each other, and needs nothing of Celery. ``app`` is the
Celery application on the leader's broker. ``worker`` runs on the leader; in it ``task`` is what happens to
each message: the fence (``fence``), then the function of the blueprint (``code``) with its ``ctx``
(``endpoint``), then the answer (``answering``). Scripts run by ``script_runner``, also ``over_ssh``.
"""
