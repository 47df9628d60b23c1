"""Blueprints from the command line to a real manager and back."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from cli.profile import Member
from cli.profile_store import ProfileStore
from tests.integration.cli.conftest import BLUEPRINT, member_that_does_not_lead

pytestmark = pytest.mark.integration


def test_a_folder_comes_back_as_the_archive_of_all_its_files(cfy, uploaded, tmp_path):
    shown = cfy.json("blueprints", "get", uploaded)
    assert (shown["id"], shown["description"], shown["main_file_name"]) == (
        uploaded,
        "A shop",
        "blueprint.yaml",
    )
    file = cfy.json("blueprints", "download", uploaded, "-o", str(tmp_path))["path"]
    with tarfile.open(file) as archive:
        names = {"shop", "shop/blueprint.yaml", "shop/scripts", "shop/scripts/start.sh"}
        assert set(archive.getnames()) == names | {"shop/scripts/stop.sh"}


def test_its_inputs(cfy, uploaded):
    declared = {it["name"]: it for it in cfy.json("blueprints", "inputs", uploaded)}
    assert declared["port"]["default"] == 80
    assert declared["port"]["type"] == "integer"
    assert set(declared) == {"port", "host"}


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "zip"])
def test_every_kind_of_archive(cfy, name, folder, tmp_path, ending):
    archive = tmp_path / f"{name}.{ending}"
    kind = {"tgz": "w:gz", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar": "w"}.get(ending)
    if kind:
        with tarfile.open(archive, kind, dereference=True) as tar:
            tar.add(folder, "shop")
    else:
        command = [sys.executable, "-m", "zipfile", "-c", str(archive), "shop"]
        subprocess.run(command, check=True, cwd=folder.parent)
    assert cfy.json("blueprints", "upload", str(archive))["id"] == name
    file = cfy.json("blueprints", "download", name, "-o", str(tmp_path / "back"))["path"]
    assert Path(file).read_bytes() == archive.read_bytes()
    assert cfy("blueprints", "delete", name).exit_code == 0


def test_lists_are_searched_sorted_and_cut(cfy, uploaded, name, folder):
    second = f"{name}-second"
    cfy.json("blueprints", "upload", str(folder / "blueprint.yaml"), "-b", second)

    def ids(*options):
        return [it["id"] for it in cfy.json("blueprints", "list", "--search", name, *options)]

    assert ids() == [uploaded, second]
    assert ids("--descending") == [second, uploaded]
    assert ids("--sort-by", "id", "-s", "1") == [uploaded]
    assert ids("--sort-by", "id", "-s", "1", "-o", "1") == [second]
    cfy("blueprints", "delete", second)
    assert ids() == [uploaded]


def test_a_blueprint_of_another_tenant(cfy, name, folder):
    tenant = f"{name}-tenant"
    cfy.json("tenants", "create", tenant)
    cfy.json("blueprints", "upload", str(folder / "blueprint.yaml"), "-b", name, "-t", tenant)
    assert cfy("blueprints", "get", name).exit_code == 1
    assert cfy.json("blueprints", "get", name, "-t", tenant)["tenant_name"] == tenant
    assert name in [it["id"] for it in cfy.json("blueprints", "list", "-a")]
    assert cfy("blueprints", "delete", name, "-t", tenant).exit_code == 0
    assert cfy("tenants", "delete", tenant).exit_code == 0


def test_one_that_the_parser_refuses(cfy, name, folder):
    (folder / "blueprint.yaml").write_text(BLUEPRINT + "surprise: 1\n")
    result = cfy("blueprints", "upload", str(folder / "blueprint.yaml"), "-b", name)
    assert result.exit_code == 1
    assert "surprise" in result.stderr
    assert cfy("blueprints", "get", name).exit_code == 1


def test_a_taken_name(cfy, uploaded, folder):
    result = cfy("blueprints", "upload", str(folder / "blueprint.yaml"), "-b", uploaded)
    assert result.exit_code == 1
    assert uploaded in result.stderr


def test_an_upload_goes_on_to_the_member_that_leads(cfy, node, name, folder):
    (folder / "data").write_bytes(os.urandom(20_000_000))
    with member_that_does_not_lead(node) as replica:
        store = ProfileStore()
        members = (Member("n2", replica), Member("n1", node.config.host_ip))
        store.update(store.get().name, lambda it: replace(it, members=members, leader=replica))
        result = cfy("blueprints", "upload", str(folder / "blueprint.yaml"), "-b", name, "-v")
    assert result.exit_code == 0, result.stderr
    assert "-> 400 not_cluster_master" in result.stderr
    assert store.get().leader == node.config.host_ip
    assert cfy("blueprints", "delete", name).exit_code == 0
