"""What a run comes to, as JSON: the report is made of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from demo.phases import unix_time
from tests.chaos.judge import interruption, truth_s
from tests.chaos.runner import Played, Struck
from tests.chaos.scenario import Scenario
from tests.chaos.workload import Workload

OUT = Path(__file__).parent / "out"


def of(scenario: Scenario, workload: Workload, played: Played, wrong: list[str]) -> dict[str, Any]:
    """All that a run has to tell."""
    witness, began = workload.witness, workload.began
    clients = [
        {"name": name, "acknowledged": len(journal.acknowledged), "unanswered": len(journal.unanswered)}
        for name, journal in workload.figures()
    ]
    return {
        "scenario": scenario.name,
        "schedule": scenario.text,
        "began": began.unix_s,
        "ended": time.time(),
        "hosts": scenario.hosts,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[2],
        "clients": clients,
        "reads": sum(reader.read for reader in workload.readers),
        "acknowledged_alone": sum(len(each.alone) for each in (*workload.writers, *workload.uploaders)),
        "terms": sorted(witness.holders),
        "faults": list(_faults(workload, played)),
        "wrong": [*played.broken, *wrong],
        "written": sorted(began.unix(each.answered_s) for each in workload.client.journal.acknowledged),
    }


def _faults(workload: Workload, played: Played) -> Iterator[Mapping[str, Any]]:
    answered = sorted(workload.began.unix(each.answered_s) for each in workload.client.journal.acknowledged)
    history = workload.witness.history.values()
    freed = [unix_time(entry["at"]) for entry in history if entry["kind"] == "lease_free"]
    ends = [*(each.at for each in played.faults[1:]), time.time()]
    for struck, until in zip(played.faults, ends, strict=True):
        yield {
            **asdict(struck),
            "truth_s": truth_s(struck, workload.witness.listed) if struck.silences else None,
            **interruption(struck, min(until, _settled(struck)), answered, freed),
        }


def _settled(struck: Struck) -> float:
    return struck.whole or struck.healed or time.time()


def write(record: Mapping[str, Any]) -> Path:
    """Keep it; returns the file."""
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(record['began']))}-{record['scenario']}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path
