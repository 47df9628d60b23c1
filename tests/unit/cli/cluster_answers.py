"""What a manager tells of its cluster, as the contract has it."""

from __future__ import annotations

POLL = "GET /cluster?_include=logs,initialized,error"
IN_CLUSTER = (200, {"initialized": True, "consul": {"leader": "127.94.0.1:8300"}})
ALONE = (200, {"initialized": False})


def node(name, manager, *, master=False, online=True, **more):
    checks = {"consul": online, "services": online, "database": online, "heartbeat": online}
    known = {
        "name": name,
        "host_ip": manager.address,
        "online": online,
        "master": master,
        "initialized": True,
    }
    return {**known, "checks": checks, "options": {}, **more}


def log(cursor, message):
    return {"message": message, "timestamp": 1_700_000_000_000_000 + cursor, "cursor": cursor}


def state(*lines, initialized=False, failure=None):
    return 200, {"initialized": initialized, "error": failure, "logs": list(lines)}
