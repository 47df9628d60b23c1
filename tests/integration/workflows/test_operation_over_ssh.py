"""Scripts and commands run on another machine over SSH, with ``ctx``, and end with the operation."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manager.operations.killing import kill
from manager.operations.message import Answer
from tests.support.login_sshd import Machine, login_machine
from tests.support.long_operations import SCRIPT
from tests.support.operations import Place
from tests.support.processes import all_gone, is_there
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

SCRIPTS, COMMANDS = "fabric_plugin.tasks.run_script", "fabric_plugin.tasks.run_commands"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One that knows us."""
    with login_machine(tmp_path_factory.mktemp("machine")) as made:
        yield made


def _script(place: Place, machine: Machine, text: str, **more: Any) -> Answer:
    place.write({"scripts/do.sh": text})
    kwargs = {"script_path": "scripts/do.sh", "fabric_env": machine.fabric_env(), **more}
    return place.run(SCRIPTS, kwargs)


def test_a_script_runs_there_with_inputs_and_ctx(place: Place, machine: Machine) -> None:
    answer = _script(
        place,
        machine,
        """#!/bin/bash -e
echo "from $SSH_CONNECTION"
ctx logger info "on $(ctx instance id)"
ctx instance runtime-properties where "$PWD"
ctx returns "$word $1"
""",
        **{"word": "it is", "no-name-for-a-shell": 1},
        process={"cwd": "/usr", "args": ["'more words'"], "env": {"MORE": "1"}},
    )
    assert (answer.outcome, answer.result) == ("succeeded", "it is more words"), answer.error
    assert place.properties()["where"] == "/usr"
    said = [line.message for line in place.lines()]
    assert f"on {place.app}" in said
    assert [line for line in said if line.startswith("<out> from ") and machine.host in line]


def test_commands_run_one_after_the_other(place: Place, machine: Machine) -> None:
    commands = ["echo one | tr a-z A-Z", "echo two; echo bad >&2"]
    answer = place.run(COMMANDS, {"commands": commands, "fabric_env": machine.fabric_env()})
    assert answer.result == ["ONE\n", "two\n"], answer.error
    assert "<err> bad" in [line.message for line in place.lines()]


@pytest.mark.parametrize(
    ("text", "more", "outcome", "recoverable", "error"),
    [
        ("#!/bin/sh\necho oops >&2\nexit 3\n", {}, "failed", True, "exit_code: 3, stderr: oops"),
        ("#!/bin/sh\nexit 3\n", {"non_recoverable_error_exit_codes": [3]}, "failed", False, "exit code 3"),
        ("#!/bin/sh\nctx abort-operation never\n", {}, "failed", False, "never"),
        ("#!/bin/sh\nctx retry-operation later @4\n", {}, "retry", True, "later"),
    ],
)
def test_how_it_ends_says_whether_it_is_tried_again(
    place: Place,
    machine: Machine,
    text: str,
    more: dict[str, Any],
    outcome: str,
    recoverable: object,
    error: str,
) -> None:
    answer = _script(place, machine, text, **more)
    assert (answer.outcome, answer.recoverable) == (outcome, recoverable)
    assert error in str(answer.error)


def test_a_machine_is_known_from_its_first_use_on(place: Place, machine: Machine) -> None:
    run = {"commands": ["true"], "fabric_env": machine.fabric_env()}
    assert place.run(COMMANDS, run).outcome == "succeeded"
    assert place.properties() == {"ssh_host_keys": {machine.name: machine.host_key}}
    assert place.run(COMMANDS, run).outcome == "succeeded"


def test_another_machine_in_its_place_is_refused(place: Place, machine: Machine, tmp_path: Path) -> None:
    with login_machine(tmp_path) as other:
        wrong = other.host_key
    place.python(f"ctx.instance.runtime_properties['ssh_host_keys'] = {{{machine.name!r}: {wrong!r}}}")
    noted = place.run(COMMANDS, {"commands": ["true"], "fabric_env": machine.fabric_env()})
    given = place.run(COMMANDS, {"commands": ["true"], "fabric_env": machine.fabric_env(host_key=wrong)})
    for answer in (noted, given):
        assert (answer.outcome, answer.recoverable) == ("failed", False)
        assert "is not the machine that is known by this name" in str(answer.error)


def test_a_host_key_that_is_given_is_enough_whichever_of_the_machines_it_is(
    place: Place, machine: Machine
) -> None:
    for key in (machine.host_key, machine.other_host_key):
        run = {"commands": ["true"], "fabric_env": machine.fabric_env(host_key=key)}
        assert place.run(COMMANDS, run).outcome == "succeeded"
    assert place.properties() == {}


@pytest.mark.parametrize(
    ("change", "recoverable", "error"),
    [
        ({"user": "nobody-here"}, False, "refuses the login"),
        ({"port": 1}, True, "failed"),
        ({"user": None}, False, "names no 'user'"),
        ({"key": None}, False, "to log in with"),
        ({"key": "no key"}, False, "no private key"),
        ({"host_key": "no key"}, False, "has to be one line"),
    ],
)
def test_a_login_that_fails_says_why(
    place: Place, machine: Machine, change: dict[str, Any], recoverable: object, error: str
) -> None:
    run = {"commands": ["true"], "fabric_env": machine.fabric_env(**change)}
    answer = place.run(COMMANDS, run)
    assert (answer.outcome, answer.recoverable) == ("failed", recoverable)
    assert error in str(answer.error)


def test_a_key_may_be_a_file_of_the_archive(place: Place, machine: Machine) -> None:
    place.write({"keys/id": machine.key})
    env = machine.fabric_env(key=None, key_filename="keys/id")
    assert place.run(COMMANDS, {"commands": ["true"], "fabric_env": env}).outcome == "succeeded"


@pytest.mark.parametrize("how", ["kill", "timeout", "command_timeout"])
def test_what_runs_there_ends_with_the_operation(
    place: Place, machine: Machine, tmp_path: Path, how: str
) -> None:
    tmp_path.chmod(0o777)
    place.write({"do.sh": SCRIPT.format(folder=tmp_path)})
    env = machine.fabric_env(**({"command_timeout": 4} if how == "command_timeout" else {}))
    limits = {"timeout_s": 6} if how == "timeout" else {}
    message = place.message(SCRIPTS, {"script_path": "do.sh", "fabric_env": env}, **limits)
    place.bench.send(message)
    eventually((tmp_path / "ready").exists, 30, "the script runs")
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert all(map(is_there, pids))
    if how == "kill":
        kill(place.bench.app, [message.task_id])
    assert place.bench.answer(message).outcome == "failed"
    try:
        eventually(lambda: all_gone(pids), 15, "the script's processes end")
    finally:
        for pid in filter(is_there, pids):
            os.kill(pid, signal.SIGKILL)


def test_a_server_that_it_starts_in_the_background_goes_on(
    place: Place, machine: Machine, tmp_path: Path
) -> None:
    start = f"nohup sh -c 'echo $$ > {tmp_path}/pid; exec sleep 300' >/dev/null 2>&1 &"
    wait = f"while ! [ -s {tmp_path}/pid ]; do sleep 0.02; done"
    answer = place.run(COMMANDS, {"commands": [start, wait], "fabric_env": machine.fabric_env()})
    assert answer.outcome == "succeeded", answer.error
    pid = int((tmp_path / "pid").read_text())
    assert is_there(pid)
    os.kill(pid, signal.SIGKILL)


def test_nothing_of_it_is_left_there(place: Place, machine: Machine) -> None:
    answer = _script(place, machine, '#!/bin/sh\nctx returns "$(dirname "$0")"\n')
    assert answer.outcome == "succeeded", answer.error
    assert not Path(answer.result).exists()


def test_a_machine_that_forwards_no_ports_runs_scripts_without_ctx(place: Place, tmp_path: Path) -> None:
    with login_machine(tmp_path, forwarding=False) as machine:
        answer = _script(place, machine, "#!/bin/sh\necho $word\n", word="plain")
    assert answer.outcome == "succeeded", answer.error
    said = [line.message for line in place.lines()]
    assert "<out> plain" in said
    assert "The machine forwards no ports: the script cannot use the command ctx." in said
