"""Scripts of a blueprint run as users know it: bash with ``ctx``, Python, whatever else there is."""

from __future__ import annotations

import base64
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from manager.operations.message import Answer
from tests.support.operations import Place

pytestmark = pytest.mark.integration

RUN = "script_runner.tasks.run"


def _script(place: Place, text: str, name: str = "scripts/do.sh", **more: Any) -> Answer:
    place.write({name: text})
    return place.run(RUN, {"script_path": name, **more.pop("kwargs", {})}, **more)


def test_bash_has_the_command_ctx(place: Place) -> None:
    answer = _script(
        place,
        """#!/bin/bash -e
ctx logger info "installing on $(ctx instance id)"
ctx instance runtime-properties port 80
ctx instance runtime-properties deep.er '@["a", 1]'
test "$(ctx instance runtime-properties port)" = 80
ctx download-resource scripts/do.sh >/dev/null
ctx returns "done by $word"
""",
        kwargs={"word": "bash"},
    )
    assert (answer.outcome, answer.result) == ("succeeded", "done by bash"), answer.error
    assert place.properties() == {"port": "80", "deep": {"er": ["a", 1]}}
    assert f"installing on {place.app}" in [line.message for line in place.lines()]


def test_what_it_prints_is_logged(place: Place) -> None:
    _script(place, "#!/bin/sh\necho to people\necho to developers >&2\n")
    said = [line.message for line in place.lines()]
    assert "<out> to people" in said
    assert "<err> to developers" in said


def test_inputs_are_its_environment_and_secrets_of_the_manager_are_not(place: Place) -> None:
    answer = _script(
        place,
        '#!/bin/bash\nctx returns "$(env | sort | base64 -w0)"\n',
        kwargs={"port": 80, "table": {"a": 1}, "process": {"env": {"more": "yes"}}},
    )
    seen = dict(line.split("=", 1) for line in base64.b64decode(answer.result).decode().splitlines())
    assert (seen["port"], seen["table"], seen["more"]) == ("80", '{"a": 1}', "yes")
    password = place.bench.settings.broker.password
    assert not [name for name, value in seen.items() if password in value]
    assert not [name for name in seen if name.startswith(("CLOUDIFY", "CELERY"))]


@pytest.mark.parametrize(
    ("text", "outcome", "recoverable", "error"),
    [
        ("#!/bin/sh\nexit 3\n", "failed", True, "exit_code: 3"),
        ("#!/bin/sh\nctx abort-operation 'for good'\n", "failed", False, "for good"),
        ("#!/bin/sh\nctx retry-operation 'not yet' @5\n", "retry", True, "not yet"),
    ],
)
def test_how_it_ends_says_whether_it_is_tried_again(
    place: Place, text: str, outcome: str, recoverable: object, error: str
) -> None:
    answer = _script(place, text)
    assert (answer.outcome, answer.recoverable) == (outcome, recoverable)
    assert error in str(answer.error)


def test_a_python_script_has_ctx_and_its_inputs(place: Place) -> None:
    answer = _script(
        place,
        """
from cloudify import ctx
from cloudify.state import ctx_parameters as inputs
ctx.instance.runtime_properties["word"] = inputs["word"]
ctx.returns([__name__, ctx.instance.id])
""",
        name="scripts/do.py",
        kwargs={"word": "python"},
    )
    assert answer.result == ["__main__", place.app], answer.error
    assert place.properties() == {"word": "python"}


def test_any_interpreter_will_do(place: Place) -> None:
    assert _script(place, "#!/usr/bin/awk -f\nBEGIN { exit 4 }\n", "scripts/do.awk").outcome == "failed"
    answer = _script(
        place, 'ctx returns "$1"\n', "scripts/do", kwargs={"process": {"command_prefix": "sh", "args": ["x"]}}
    )
    assert answer.result == "x", answer.error


def test_a_source_in_the_blueprint_needs_no_file(place: Place) -> None:
    assert place.run(RUN, {"script_source": "#!/bin/sh\nctx returns here\n"}).result == "here"


def test_a_script_that_is_not_there_fails_for_good(place: Place) -> None:
    answer = place.run(RUN, {"script_path": "scripts/nowhere.sh"})
    assert (answer.outcome, answer.recoverable) == ("failed", False)
    assert "scripts/nowhere.sh is not in the blueprint's archive" in str(answer.error)


def test_it_reads_nothing_and_leaves_nothing_in_the_temporary_folder(place: Place, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    answer = _script(
        place,
        '#!/bin/bash\ncat\nctx returns "$(dirname "$0")"\n',
        kwargs={"process": {"env": {"TMPDIR": str(tmp_path)}}},
    )
    assert answer.outcome == "succeeded"
    assert not Path(answer.result).exists()


def test_a_server_that_it_starts_in_the_background_goes_on(place: Place, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    _script(
        place,
        f"#!/bin/sh\nnohup sh -c 'echo $$ > {tmp_path}/pid; exec sleep 300' >/dev/null 2>&1 &\n"
        f"while ! [ -s {tmp_path}/pid ]; do sleep 0.02; done\n",
    )
    pid = int((tmp_path / "pid").read_text())
    try:
        assert place.run("manager.operations.builtin.nothing").outcome == "succeeded"
        os.kill(pid, 0)
    finally:
        os.kill(pid, signal.SIGKILL)
