"""A member's key may list units and read them. Every other wish is refused, and changes nothing."""

from __future__ import annotations

import subprocess

import pytest

from orchestrator.clients import forced_command
from tests.integration.files.conftest import contents, unit

FLAGS = "-logtprRe.LsfxCIvu"
GOOD = f"files --server --sender {FLAGS} --numeric-ids . {unit(1)}"


def hostile():
    yield from (
        "",
        "id",
        "sh -c id",
        "units; id",
        "units x",
        "rsync --server --sender -logtpre.LsfxCIvu . /etc",
        GOOD.replace("files", "rsync", 1),
        # Writing.
        f"files --server {FLAGS} . {unit(1)}",
        f"files --server -logtpre.LsfxCIvu --delete . {unit(1)}",
        f"{GOOD} --remove-source-files",
        GOOD.replace("--numeric-ids", "--remove-source-files"),
        GOOD.replace("--numeric-ids", "--log-file=/tmp/x"),
        GOOD.replace("--numeric-ids", "--files-from=/etc/passwd"),
        GOOD.replace("--numeric-ids", "--timeout=0"),
        # Following links, or reading a list of arguments from the client.
        *(GOOD.replace("logtpr", f"logtpr{letter}") for letter in "LkKsDXAz"),
        GOOD.replace(FLAGS, "-logtprR"),
        GOOD.replace(FLAGS, "-logtprRe.LsfxCIvu;id"),
        GOOD.replace(FLAGS, "--rsh=id"),
        # Other paths.
        f"files --server --sender {FLAGS} .",
        f"files --server --sender {FLAGS} . .",
        f"files --server --sender {FLAGS} . /etc/passwd",
        f"files --server --sender {FLAGS} . ../../../etc",
        f"files --server --sender {FLAGS} . blueprints/../../x/{unit(1)[-32:]}",
        f"files --server --sender {FLAGS} . blueprints/default_tenant/hello",
        f"files --server --sender {FLAGS} . {unit(1)}/..",
        f"files --server --sender {FLAGS} . {unit(1)} /etc",
        f"files --server --sender {FLAGS} . --rsh=id/t/x/{unit(1)[-32:]}",
        f"files --server --sender {FLAGS} . {unit(7)}",  # A link to a folder outside.
        f"files --server --sender {FLAGS} . {unit(8, 'elsewhere')}",  # Below a link.
        "files --server --sender 'unfinished",
    )


@pytest.fixture
def traps(old, tmp_path):
    """Units, and links in the places of units."""
    outside = tmp_path / "outside"
    (outside / unit(8)[-32:]).mkdir(parents=True)
    folder = old.put(unit(1))
    (folder.parent / unit(7)[-32:]).symlink_to(outside)
    (folder.parent.parent / "elsewhere").symlink_to(outside)
    return old


@pytest.mark.parametrize("request_", list(hostile()))
def test_refused(traps, request_):
    assert forced_command.requested_term(request_) is None
    assert forced_command.sending(request_, str(traps.files)) is None


def test_what_a_replica_asks_for_is_understood(traps):
    assert forced_command.sending(GOOD, str(traps.files)) == [
        *("--server", "--sender", FLAGS, "--numeric-ids", ".", unit(1))
    ]


@pytest.mark.parametrize(
    "request_",
    ["id", "units; id", f"files --server {FLAGS} . {unit(1)}", f"files --server --sender {FLAGS} . /etc", ""],
)
def test_the_daemon_refuses_it(traps, new, request_):
    before = contents(traps.files)
    ssh = new.mirror._transfer._ssh(traps.member)
    command = [*ssh, "-o", "ControlMaster=no", "-o", "ControlPath=none", traps.host, request_]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
    )
    assert done.stdout.strip() == "refused"
    assert contents(traps.files) == before


def test_rsync_cannot_write_with_it(traps, new, tmp_path):
    (tmp_path / "evil").write_text("x")
    ssh = " ".join(new.mirror._transfer._ssh(traps.member))
    before = contents(traps.files)
    for path in ("files", "rsync"):
        done = subprocess.run(
            [
                "rsync",
                "-a",
                "--rsh",
                ssh,
                f"--rsync-path={path}",
                str(tmp_path / "evil"),
                f"{traps.host}:evil",
            ],
            check=False,
            capture_output=True,
            timeout=30,
        )
        assert done.returncode != 0
    assert contents(traps.files) == before
