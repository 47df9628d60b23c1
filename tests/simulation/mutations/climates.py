"""Kinds of histories in which certain mistakes show soon."""

from tests.simulation.faults import Climate

BLIPS = Climate(3, {"blip": 6})
FREEZES = Climate(3, {"blip": 8, "freeze_part": 6, "kill_worker": 4, "pause": 1, "switchover": 1})
ALONE = Climate(3, {"cut": 8}, minority="majority")
LATEST = Climate(3, {"cut": 8}, minority="most_recent")
CONSUL = Climate(consul=True)
KILLS = Climate(3, {"crash": 6, "kill_programs": 6, "crash_database": 6})
SLOW = Climate(3, {"slow": 10, "blip": 4, "kill_programs": 4})
STALE = Climate(3, {"blip": 6, "freeze": 3}, stale_reads=0.3)
SWITCHOVERS = Climate(3, {"switchover": 10, "slow": 6, "crash_database": 6})
TWO = Climate(2, {"blip": 6, "kill_programs": 3})
FIVE = Climate(5, {"blip": 8, "crash": 3, "freeze_part": 4})
FIVE_SLOW = Climate(5, {"slow": 10, "crash": 4, "cut": 4})
UPLOADS = Climate(3, {"blip": 4, "kill_programs": 3, "kill_worker": 4, "freeze_part": 4}, files=True)
