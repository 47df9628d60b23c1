"""A library is imported without a part of it, which others can import afterwards as ever."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TIMEOUT_S = 60

WITHOUT = """
from orchestrator.clients.lean import without
with without("wsgiref.simple_server"):
    from wsgiref import simple_server as empty
    import wsgiref.simple_server
    import wsgiref.util
there = [name for name in ("wsgiref.simple_server", "wsgiref.util") if name in sys.modules]
import wsgiref.simple_server
print(json.dumps([hasattr(empty, "make_server"), there, hasattr(wsgiref.simple_server, "make_server")]))
"""

MISSING = """
from orchestrator.clients.lean import missing
with missing("colorsys"):
    try:
        import colorsys
    except ImportError:
        found = False
    else:
        found = True
import colorsys
print(json.dumps([found, hasattr(colorsys, "rgb_to_hsv")]))
"""

THERE = """
import colorsys
from orchestrator.clients.lean import missing, without
with missing("colorsys"), without("colorsys"):
    import colorsys as found
print(json.dumps([found is colorsys, sys.modules["colorsys"] is colorsys]))
"""

PARTS = """
from orchestrator.clients.lean import without
with without("xml.etree"):
    import xml.etree.ElementTree as part
print(json.dumps([hasattr(part, "parse"), "xml.etree" in sys.modules]))
"""

SERVICE = """
from manager import lean
from fastapi import FastAPI
from pydantic import BaseModel
class Body(BaseModel):
    number: int
app = FastAPI()
app.post("/")(lambda body: body)
app.post("/body", response_model=Body)(lambda: Body(number=1))
parts = [name for name in sys.modules if name.startswith("pydantic.v1.")]
print(json.dumps([parts, len(app.openapi()["paths"])]))
"""


def told_by(program):
    """What a program says that runs in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{program}"],
        stdout=subprocess.PIPE,
        timeout=TIMEOUT_S,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (WITHOUT, [False, ["wsgiref.util"], True]),
        (MISSING, [False, True]),
        (THERE, [True, True]),
        (PARTS, [True, False]),
        (SERVICE, [[], 2]),
    ],
    ids=["without", "missing", "there already", "parts of what is left out", "the first version of models"],
)
def test_left_out_and_back(program, told):
    assert told_by(program) == told
