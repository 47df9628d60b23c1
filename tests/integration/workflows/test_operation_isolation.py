"""Operations that follow each other in one process know nothing of each other."""

from __future__ import annotations

import pytest

from tests.support.operations import Place

pytestmark = pytest.mark.integration

SPOIL = """
import os, sys, signal, builtins
os.environ["LEFT"] = "behind"
del os.environ["PATH"]
os.chdir("/tmp")
os.umask(0o077)
sys.path.insert(0, "/nowhere")
sys.argv.append("more")
sys.stdout = sys.stderr = None
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGALRM, lambda *_: 1 / 0)
return os.getpid()
"""
LOOK = """
import os, signal, sys
mask = os.umask(0); os.umask(mask)
return [os.getpid(), os.environ.get("LEFT"), "PATH" in os.environ, os.getcwd(), mask,
"/nowhere" in sys.path, "more" in sys.argv, sys.stdout is None,
signal.getsignal(signal.SIGTERM) is signal.SIG_IGN, os.read(0, 1) == b""]
"""


def test_nothing_leaks_from_one_operation_to_the_next(place: Place) -> None:
    spoiled = {place.python(SPOIL.strip()).result for _ in range(3)}
    for _ in range(10):
        pid, *seen = place.python(LOOK.strip()).result
        assert seen == [None, True, "/", 0o022, False, False, False, False, True]
        if pid in spoiled:
            return
    raise AssertionError("no process was used a second time")


def test_one_ctx_is_gone_when_the_next_comes(place: Place) -> None:
    keep = place.python("import cloudify; cloudify.kept = ctx; ctx.instance.runtime_properties['a'] = 1")
    assert keep.outcome == "succeeded"
    other = place.bench.place()
    assert other.python("return [ctx.instance.id, ctx.instance.runtime_properties]").result == [other.app, {}]
