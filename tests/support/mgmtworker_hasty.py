"""``python -m tests.support.mgmtworker_hasty FOLDER``: mgmtworker whose engine ends as soon as it is idle.

Nobody looks again for what was said already. Files in the folder tell how far an engine has come when it is
about to end: ``asks`` when it asks its worker, ``ends`` when it has made up its mind. It goes on with that
when there is no file ``wait`` any more.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from manager.workflows import __main__ as mgmtworker
from manager.workflows import doorkeeper, rest, service

FOR_EVER_S = 3600.0
IDLE_S = 0.5
POLL_S = 0.02


def hasten(folder: Path) -> None:
    doorkeeper.LOOK_EVERY_S = FOR_EVER_S
    worker_works = rest.worker_works
    is_over = rest.Rest.is_over

    def telling(*arguments: Any) -> Callable[[], bool]:
        works = worker_works(*arguments)

        def ask() -> bool:
            found = works()
            (folder / "asks").touch()
            return found

        return ask

    def decide(self: rest.Rest, executions: int) -> bool:
        over = is_over(self, executions)
        if over:
            (folder / "ends").touch()
        while over and (folder / "wait").exists():
            time.sleep(POLL_S)
        return over

    rest.IDLE_S = IDLE_S
    rest.Rest.is_over = decide  # type: ignore[method-assign]
    service.worker_works = telling


if __name__ == "__main__":
    hasten(Path(sys.argv[1]))
    sys.exit(mgmtworker.main())
