"""A machine that cannot carry a bed is told all that it lacks, and a wrong word what would be right."""

from __future__ import annotations

import pytest

from tests.cluster.bed import BedError, bed, host, image, network


def test_all_that_is_missing_is_said_at_once(monkeypatch):
    monkeypatch.setattr(host.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(host.shutil, "which", lambda name, path: name == "ip")
    monkeypatch.setattr(host, "unified_cgroups", lambda: None)
    with pytest.raises(BedError) as error:
        host.check()
    for part in ("root", "apt-get install mmdebstrap mount nftables systemd-container util-linux", "cgroup2"):
        assert part in str(error.value)


@pytest.mark.parametrize("name", ["n0", "n10", "m1", "n1 ", ""])
def test_a_wrong_name_of_a_node_is_refused(name):
    with pytest.raises(BedError, match="nodes are called n1 to n9"):
        network.number_of(name)


@pytest.mark.parametrize("name", ["", "../etc", "Bed", "-bed", "b" * 32])
def test_a_wrong_name_of_a_bed_is_refused(name):
    with pytest.raises(BedError, match="is no name for a bed"):
        bed.Bed.load(name)


def test_a_bed_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("BED_CACHE", str(tmp_path))
    with pytest.raises(BedError, match="no bed called none; up makes one"):
        bed.Bed.load("none")


OF_DEBIAN_12 = """\
Debian bookworm http://mirror/debian/
Debian bookworm-updates http://mirror/debian/
Debian-Security bookworm-security http://mirror/debian-security/
google-cloud cloud http://elsewhere/
"""
OF_ANOTHER_DEBIAN = (
    "Debian trixie http://mirror/debian/\nDebian-Security trixie-security http://mirror/security/\n"
)


@pytest.mark.parametrize(
    ("listed", "sources"),
    [
        (
            OF_DEBIAN_12,
            [
                "deb http://mirror/debian-security/ bookworm-security main",
                "deb http://mirror/debian/ bookworm main",
                "deb http://mirror/debian/ bookworm-updates main",
            ],
        ),
        (OF_ANOTHER_DEBIAN, ["deb http://mirror/debian/ bookworm main"]),
    ],
)
def test_the_image_comes_from_where_this_machine_gets_its_packages(monkeypatch, listed, sources):
    monkeypatch.delenv("BED_MIRROR", raising=False)
    monkeypatch.setattr(image, "call", lambda *_: listed)
    assert image.sources() == sources


def test_a_mirror_that_is_named_goes_first(monkeypatch):
    monkeypatch.setenv("BED_MIRROR", "http://mine/debian")
    assert image.sources() == ["deb http://mine/debian bookworm main"]


def test_a_machine_without_a_mirror_is_told_how_to_name_one(monkeypatch):
    monkeypatch.delenv("BED_MIRROR", raising=False)
    monkeypatch.setattr(image, "call", lambda *_: "Ubuntu noble http://mirror/ubuntu/\n")
    with pytest.raises(BedError, match="BED_MIRROR"):
        image.sources()
