"""Workflows that survive a failover.

The tasks graph in the database is the program. A workflow function only builds graphs; the *engine*, one
process on the leader, carries them out by looking at rows: it observes, decides by ``graph`` (pure), records,
and acts. What it is about to do is stored before it is done, and an answer before what depends on it. Start
reading at ``engine``; ADR 14 says why it is so.
"""
