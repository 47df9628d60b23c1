"""The configuration that an installation writes."""

from __future__ import annotations

import tomllib

import pytest

from installer import settings
from installer.report import InstallError

OWN = {"host_ip": "10.0.0.1"}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "manager.toml"


def installed(file, wishes, given=None, unset=()):
    """What is on file after an installation with these wishes."""
    wanted = settings.wanted(file, given, wishes, unset)
    settings.checked(wanted)
    file.write_text(settings.rendered(wanted))
    return tomllib.loads(file.read_text())


def test_a_new_manager_is_run_by_systemd_and_leaves_port_22_to_the_machine(file):
    found = installed(file, OWN)
    assert found["services"]["manager"] == "systemd"
    assert found["ports"]["ssh"] != 22
    assert found["host_ip"] == "10.0.0.1"


def test_without_an_address_that_of_the_default_route_is_taken(file, monkeypatch):
    monkeypatch.setattr(settings, "_own_address", lambda: "10.0.0.7")
    assert installed(file, {})["host_ip"] == "10.0.0.7"


def test_a_machine_without_a_route_is_asked_for_its_address(file, monkeypatch):
    monkeypatch.setattr(settings, "OUTSIDE", ("256.0.0.1", 9))
    with pytest.raises(InstallError, match="cannot be guessed") as refused:
        settings.wanted(file, None, {})
    assert "--host-ip" in refused.value.hint


def test_wishes_are_added_to_what_is_there_and_can_be_repeated(file):
    installed(file, OWN | {"ports.rest": "8443", "workflows.max_operations": "7"})
    found = installed(file, {"ports.postgres": "15433"})
    assert found["ports"] == {"ssh": 8303, "rest": 8443, "postgres": 15433}
    assert found["workflows"] == {"max_operations": 7}
    assert installed(file, {}) == found


def test_a_file_to_begin_with(file, tmp_path):
    given = tmp_path / "mine.toml"
    given.write_text('host_ip = "10.0.0.2"\n[postgres.settings]\nshared_buffers = "1GB"\n')
    found = installed(file, {}, given)
    assert found["host_ip"] == "10.0.0.2"
    assert found["postgres"]["settings"] == {"shared_buffers": "1GB"}


@pytest.mark.parametrize(
    ("wishes", "complaint"),
    [
        ({"host_ip": "manager.example"}, "host_ip"),
        ({"ports.rest": "many"}, "ports.rest"),
        ({"ports.reset": "443"}, "ports.reset"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wish_that_makes_no_sense_is_named(file, wishes, complaint):
    with pytest.raises(InstallError, match=complaint):
        installed(file, OWN | wishes)
    assert not file.exists()


def test_everything_that_is_wrong_is_said_at_once(file):
    with pytest.raises(InstallError) as refused:
        installed(file, {"host_ip": "a", "ports.rest": "b"})
    assert "host_ip" in str(refused.value)
    assert "ports.rest" in str(refused.value)


def test_what_is_unset_has_its_default_again(file):
    installed(file, OWN | {"public_ip": "a.example", "workflows.max_operations": "7"})
    found = installed(file, {}, unset=["workflows.max_operations", "public_ip", "nothing.there"])
    assert "public_ip" not in found
    assert "max_operations" not in found.get("workflows", {})


def test_a_setting_that_is_not_there_is_told_with_those_that_are(file):
    with pytest.raises(InstallError, match=r"ports.reset: there is no such setting; allowed here: .*rest"):
        installed(file, OWN | {"ports.reset": "443"})
