"""What ``cfy blueprints upload`` makes of its argument, and what there is to see of a blueprint."""

from __future__ import annotations

import io
import tarfile

import pytest

from tests.unit.cli.scripted import items

CREATED = (201, {"id": "web"})
QUERY = "application_file_name={}&visibility={}"


@pytest.fixture
def manager(cfy, managers, tmp_path, monkeypatch):
    manager = managers.add({"*": CREATED})
    cfy.profile(manager, port=managers.port)
    folder = tmp_path / "my_shop"
    folder.mkdir()
    for name in ("blueprint.yaml", "small.yaml", "README.md"):
        (folder / name).write_text(f"# {name}\n")
    for name in ("web.tar.gz", "a_b.ZIP", "web.rar"):
        (tmp_path / name).write_bytes(b"an archive")
    monkeypatch.chdir(tmp_path)
    return manager


@pytest.mark.parametrize(
    ("args", "identifier", "main_file"),
    [
        (["my_shop/blueprint.yaml"], "my-shop", "blueprint.yaml"),
        (["my_shop/small.yaml"], "my-shop.small", "small.yaml"),
        (["my_shop/small.yaml", "-n", "small.yaml"], "my-shop.small", "small.yaml"),
        (["my_shop/blueprint.yaml", "-b", "shop"], "shop", "blueprint.yaml"),
        (["web.tar.gz"], "web", "blueprint.yaml"),
        (["web.tar.gz", "-n", "small.yaml"], "web.small", "small.yaml"),
        (["web.tar.gz", "-n", "small.yaml", "-b", "x"], "x", "small.yaml"),
        (["a_b.ZIP"], "a-b", "blueprint.yaml"),
    ],
)
def test_the_id_and_the_main_file(cfy, manager, args, identifier, main_file):
    result = cfy("blueprints", "upload", *args)
    assert result.exit_code == 0, result.stderr
    assert manager.requests() == [f"PUT /blueprints/{identifier}?{QUERY.format(main_file, 'tenant')}"]


def test_the_folder_of_a_yaml_file_goes_with_it(cfy, manager):
    cfy("blueprints", "upload", "my_shop/blueprint.yaml")
    with tarfile.open(fileobj=io.BytesIO(manager.seen[0].body)) as archive:
        names = {"my_shop", *(f"my_shop/{name}" for name in ("blueprint.yaml", "small.yaml", "README.md"))}
        assert set(archive.getnames()) == names


def test_an_archive_is_sent_as_it_is(cfy, manager):
    cfy("blueprints", "upload", "web.tar.gz")
    assert manager.seen[0].body == b"an archive"


def test_a_url_is_fetched_by_the_manager(cfy, manager):
    cfy("blueprints", "upload", "https://files.example/shop.tar.gz?x=1", "-l", "global")
    url = "https%3A%2F%2Ffiles.example%2Fshop.tar.gz%3Fx%3D1"
    assert manager.requests() == [
        f"PUT /blueprints/shop?{QUERY.format('blueprint.yaml', 'global')}&blueprint_archive_url={url}"
    ]
    assert manager.seen[0].body is None


def test_the_tenant_of_one_call(cfy, manager):
    cfy("blueprints", "upload", "web.tar.gz", "-t", "tests")
    cfy("blueprints", "list")
    assert [seen.headers["Tenant"] for seen in manager.seen] == ["tests", "default_tenant"]
    assert cfy.store.get().tenant == "default_tenant"


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["missing.yaml"], "There is no missing.yaml"),
        (["my_shop"], "neither a YAML file"),
        (["web.rar"], "nor an archive"),
        (["my_shop/blueprint.yaml", "-n", "small.yaml"], "-n is for archives"),
        (["https://files.example/"], "give one with -b"),
        (["web.tar.gz", "-l", "everybody"], "'everybody' is not one of"),
    ],
)
def test_what_cannot_be_uploaded(cfy, manager, args, complaint):
    result = cfy("blueprints", "upload", *args)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not manager.seen


def test_inputs(cfy, manager):
    declared = {"port": {"type": "integer", "default": 80, "description": "Where it listens"}, "host": {}}
    manager.table["GET /blueprints/web"] = (200, {"id": "web", "plan": {"inputs": declared}})
    head, port, host = cfy("blueprints", "inputs", "web").stdout.splitlines()
    assert head.split() == ["name", "type", "default", "description"]
    assert port.split() == ["port", "integer", "80", "Where", "it", "listens"]
    assert host.split() == ["host"]
    assert cfy.json("blueprints", "inputs", "web")[0] == {"name": "port", **declared["port"]}


def test_a_list_for_people_and_for_programs(cfy, manager):
    blueprint = {"id": "web", "description": None, "main_file_name": "blueprint.yaml", "plan": {"much": 1}}
    manager.table["GET /blueprints"] = items(blueprint)
    assert "much" not in cfy("blueprints", "list").stdout
    assert cfy.json("blueprints", "list") == [blueprint]
