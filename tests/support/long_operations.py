"""Operations that do not end by themselves, and whether their processes are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manager.operations.message import Message
from tests.support.operations import Place
from tests.support.waiting import eventually

SCRIPT = """#!/bin/bash
sleep 300 &
echo $! >> {folder}/pids
sh -c 'sleep 300; true' &
echo $! >> {folder}/pids
echo $$ >> {folder}/pids
touch {folder}/ready
wait
"""
SLEEP = """import os, pathlib, time
pathlib.Path(inputs['folder'], 'ready').write_text(str(os.getpid()))
"""


def running_script(place: Place, folder: Path, **more: Any) -> tuple[Message, list[int]]:
    place.write({"do.sh": SCRIPT.format(folder=folder)})
    message = place.message("script_runner.tasks.run", {"script_path": "do.sh"}, **more)
    place.bench.send(message)
    eventually((folder / "ready").exists, 30, "the script runs")
    return message, [int(line) for line in (folder / "pids").read_text().split()]


def sleeping(place: Place, folder: Path, **more: Any) -> tuple[Message, int]:
    place.write({"x/sleepy.py": f"def run(ctx, **inputs):\n{_indented(SLEEP)}    time.sleep(300)\n"})
    message = place.message("sleepy.run", {"folder": str(folder)}, **more)
    place.bench.send(message)
    eventually((folder / "ready").exists, 30, "the operation runs")
    return message, int(eventually((folder / "ready").read_text, 5, "its process"))


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
