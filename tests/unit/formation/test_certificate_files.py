"""The table of a node's certificates: what is said of each, and what is warned of."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.clients import ssh_files
from orchestrator.config import NodeConfig
from orchestrator.formation import certificates, pki
from orchestrator.paths import Paths

DAY = timedelta(days=1)


@pytest.fixture
def config(tmp_path):
    paths = Paths(etc=tmp_path / "etc", state=tmp_path / "s", run=tmp_path / "r", log=tmp_path / "l")
    config = NodeConfig(host_ip="10.0.0.1", paths=paths)
    pki.ensure_ca(config.paths.ssl)
    pki.issue(config, "n1")
    ssh_files.prepare(config)
    return config


def named(config, name):
    return next(each for each in certificates.all_of(config, look=False) if each.name == name)


def test_every_certificate_and_key_is_there(config):
    found = certificates.all_of(config, look=False)
    assert [each.name for each in found] == ["ca", "node", "postgres", "ssh-host", "ssh-member"]
    assert {each.state for each in found} == {"ok", "ends never"}
    assert all(each.fingerprint for each in found)
    assert not certificates.warnings(config)


def test_a_certificate_says_who_where_and_by_whom(config):
    found = named(config, "node")
    assert (found.subject, found.issuer) == ("n1", "Cloudify internal CA")
    assert "10.0.0.1" in found.names
    assert found.file == str(config.paths.ssl / "node.pem")


@pytest.mark.parametrize(
    ("life", "state", "warning"),
    [
        (31 * DAY, "ok", None),
        (29 * DAY, "ends soon", "ends in 28 days. Renew it"),
        (-DAY, "ended", "ENDED on"),
    ],
)
def test_what_ends_is_warned_of(config, life, state, warning):
    pki.issue(config, "n1", ("postgres",), life)
    assert named(config, "postgres").state == state
    warnings = certificates.warnings(config)
    assert len(warnings) == (warning is not None)
    assert warning is None or warning in warnings[0]


def test_a_pair_that_does_not_fit_is_noticed(config, tmp_path):
    other = tmp_path / "other"
    pki.ensure_ca(other)
    pki.install_ca(config.paths.ssl, pki.read_ca(other))
    assert "not signed by the CA" in named(config, "node").state
    assert len(certificates.warnings(config)) == 2


@pytest.mark.parametrize("spoil", ["unlink", "garble"])
@pytest.mark.parametrize("name", ["ca", "node", "postgres"])
def test_what_cannot_be_read_is_said_and_the_rest_is_told(config, name, spoil):
    folder = config.paths.ssl / "postgres" if name == "postgres" else config.paths.ssl
    file = folder / ("ca.pem" if name == "ca" else "node.pem")
    file.unlink()
    if spoil == "garble":
        file.write_text("nonsense")
    assert named(config, name).state.startswith("cannot be read")
    assert len(certificates.all_of(config, look=False)) == 5
