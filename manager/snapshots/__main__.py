"""``python -m manager.snapshots EXECUTION``: works on one execution, and ends with whoever started it.

Its standard input is held open by the REST service and never written to: when it ends, the service has ended,
and nobody would notice any more what became of this process. Its lock is a descriptor that it has inherited.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping

from manager.errors import OutcomeUnknown
from manager.gateway import Gateway, load_config, settings_of
from manager.snapshots.creating import Creation
from manager.snapshots.labour import CREATION, RESTORATION, Progress, find, lock_of
from manager.snapshots.restoring import Restoration
from manager.storage import Storage, engine_for

log = logging.getLogger("manager.snapshots")

CONNECTIONS = 2
ABANDONED = 75

WORKFLOWS: Mapping[str, type[Creation | Restoration]] = {CREATION: Creation, RESTORATION: Restoration}


def main() -> int:
    """Do it."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    execution_id = sys.argv[1]
    config = load_config()
    settings = settings_of(config)
    storage = Storage(engine_for(settings.database, CONNECTIONS))
    progress = Progress(storage, execution_id)
    try:
        with storage.reading() as session:
            execution = find(session, execution_id)
            workflow, options = WORKFLOWS[execution.workflow_id], dict(execution.parameters)
        workflow(progress, storage, Gateway(config), settings.folders, options).run()
    except OutcomeUnknown as error:
        log.warning("Execution %s: %s", execution_id, error)  # The database knows, or whoever leads next.
        return 1
    except Exception as error:  # whatever it was, the execution has failed and has to say why
        log.exception("Execution %s has failed", execution_id)
        progress.fail(_told(error))
        return 1
    finally:
        storage.close()
        lock_of(settings.folders, execution_id).unlink(missing_ok=True)
    return 0


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ABANDONED)


if __name__ == "__main__":
    sys.exit(main())
