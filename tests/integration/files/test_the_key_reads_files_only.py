"""A member's key may list units and read them. Every other wish is refused, and changes nothing."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from orchestrator.clients import ssh_files
from tests.integration.files.conftest import contents, unit

SECRET = "root:secret:line"


@pytest.fixture
def traps(old, tmp_path):
    """A unit, something secret outside, and a link to that in a place that somebody could ask for."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text(f"{SECRET}\n")
    old.put(unit(1))
    return old


@pytest.fixture
def rsync(traps, new, tmp_path):
    """Run rsync with the member's key, as somebody would who means harm."""
    ssh = shlex.join(new.mirror._transfer._ssh(traps.member))

    def run(*arguments, module=ssh_files.MODULE, path="files"):
        filled = [argument.replace("HOST", f"{traps.host}::{module}") for argument in arguments]
        command = ["rsync", f"--rsh={ssh}", f"--rsync-path={path}", *filled]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    return run


@pytest.mark.parametrize(
    "request_",
    [
        *("", "id", "units; id", "units x", "sh -c id", "internal-sftp", "scp -f /etc/passwd"),
        "rsync --server --sender -logtpre.LsfxCIvu . /etc",
        "rsync --server --daemon .",
        "files --server --sender -logtpre.LsfxCIvu . /etc",
        "files --server -logtpre.LsfxCIvu . .",
        *(
            "files --server --daemon . x",
            "files --server --daemon --config=/tmp/x .",
            "files --server --daemon /",
        ),
        *("files", "files --server --daemon", "files --server --daemon .; id", "files  --server --daemon ."),
    ],
)
def test_the_daemon_refuses_it(traps, new, request_):
    before = contents(traps.files)
    ssh = new.mirror._transfer._ssh(traps.member)
    command = [*ssh, traps.host, request_]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
    )
    assert done.stdout.strip() == "refused"
    assert contents(traps.files) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("-r", "outside/", "HOST/"),
        ("-r", "--delete", "outside/", f"HOST/{unit(1)}/"),
        ("-r", "--remove-source-files", "HOST/", "taken/"),
    ],
    ids=["write", "delete", "remove what was read"],
)
def test_nothing_can_be_written_or_removed(traps, rsync, arguments):
    before = contents(traps.files)
    assert rsync(*arguments).returncode != 0
    assert contents(traps.files) == before


@pytest.mark.parametrize(
    "path",
    ["/../../../outside/", "/../../etc/ssh/", "/blueprints/../../../../outside/secret", "//{outside}/secret"],
)
def test_no_other_path_is_read(traps, rsync, tmp_path, path):
    rsync("-r", f"HOST{path.replace('{outside}', str(tmp_path / 'outside'))}", "taken/")
    assert SECRET not in "".join(text for _, text in contents(tmp_path / "taken").values())
    assert not list((tmp_path / "taken").rglob("*_key"))


@pytest.mark.parametrize("option", ["--copy-links", "--copy-unsafe-links", "--copy-dirlinks", "-L", "-k"])
def test_no_link_is_followed(traps, rsync, tmp_path, option):
    (traps.files / unit(1) / "link").symlink_to(tmp_path / "outside")
    assert rsync("-r", option, "HOST/", "taken/").returncode != 0
    assert not (tmp_path / "taken").exists() or SECRET not in str(contents(tmp_path / "taken"))


@pytest.mark.parametrize(
    "below", ["link/", "link/secret"], ids=["the folder behind a link", "a file behind a link"]
)
def test_what_lies_behind_a_link_is_not_read(traps, rsync, tmp_path, below):
    (traps.files / unit(1) / "link").symlink_to(tmp_path / "outside")
    rsync("-r", f"HOST/{unit(1)}/{below}", "taken/")
    rsync("-r", "--files-from=-", "HOST/", "taken/")
    assert SECRET not in str(contents(tmp_path / "taken"))


@pytest.mark.parametrize("rule", [":s {}", "dir-merge,s {}", ":s ../../../../../{}", ":sn {}"])
def test_no_filter_opens_another_file(traps, rsync, tmp_path, rule):
    done = rsync("-r", f"--filter={rule.format(tmp_path / 'outside' / 'secret')}", "HOST/", "taken/")
    assert "secret" not in done.stdout + done.stderr.replace(rule.format(tmp_path / "outside" / "secret"), "")


def test_there_is_nothing_else_to_be_asked_for(traps, rsync):
    assert rsync("HOST", module="").stdout == ""
    assert rsync("-r", "HOST/", "taken/", module="etc").returncode != 0
    assert rsync("-r", "HOST/", "taken/", path="rsync").returncode != 0
