"""The operation of a step."""  # noqa: INP001  # a folder of a blueprint is no package

from __future__ import annotations

import time
from pathlib import Path

from cloudify import ctx
from cloudify.decorators import operation


@operation(resumable=True)  # type: ignore[untyped-decorator]  # Cloudify's have no types
def take(ledger: str, seconds: float, **_: object) -> None:
    """Take the step. It may be taken again when nobody knows how far it came."""
    name = ctx.node.name
    with Path(ledger).open("a") as file:
        file.write(f"{name}\n")
    ctx.logger.info("%s is taken", name)
    time.sleep(float(seconds))
