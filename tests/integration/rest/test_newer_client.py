"""The REST client library of ``cloudify-common``, which nobody here wrote, works against this manager."""

from __future__ import annotations

import tarfile

import pytest
from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import CloudifyClientError

from tests.support.archives import BLUEPRINT
from tests.support.rest import ADMIN, TENANT
from tests.support.uploads import remove_all

pytestmark = pytest.mark.integration


@pytest.fixture
def client(node, rest):
    yield CloudifyClient(
        host=node.config.host_ip,
        port=node.config.ports.rest,
        protocol="https",
        cert=str(node.config.paths.ssl / "ca.pem"),
        username=ADMIN[0],
        password=ADMIN[1],
        tenant=TENANT,
    )
    remove_all(rest)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app" / "scripts").mkdir(parents=True)
    (tmp_path / "app" / "my blueprint.yaml").write_text(BLUEPRINT)
    (tmp_path / "app" / "scripts" / "start.sh").write_text("#!/bin/sh\n")
    return tmp_path


def test_the_life_of_a_blueprint_with_a_newer_client(client, folder, name):
    seen = []
    created = client.blueprints.upload(
        str(folder / "app" / "my blueprint.yaml"),
        name,
        visibility="private",
        progress_callback=lambda done, total: seen.append((done, total)),
    )
    assert created.id == name
    assert seen
    assert [item.id for item in client.blueprints.list(sort="created_at", is_descending=True)] == [name]
    one = client.blueprints.get(name)
    assert (one.main_file_name, one["visibility"]) == ("my blueprint.yaml", "private")
    assert one.plan["inputs"] == {"size": {"default": 2}}
    assert client.blueprints.set_visibility(name, "global")["visibility"] == "global"

    archive = client.blueprints.download(name, str(folder / "out"))
    with tarfile.open(archive) as fetched:
        assert [entry for entry in fetched.getnames() if entry.endswith("scripts/start.sh")]
    client.blueprints.delete(name)
    with pytest.raises(CloudifyClientError) as caught:
        client.blueprints.get(name)
    assert (caught.value.status_code, caught.value.error_code) == (404, "not_found_error")


def test_an_upload_as_an_older_client_sends_it(client, folder, name):
    created = client.blueprints.upload(str(folder / "app" / "my blueprint.yaml"), name, legacy=True)
    assert created.main_file_name == "my blueprint.yaml"


def test_an_invalid_blueprint_is_told_with_its_code(client, folder, name):
    (folder / "app" / "my blueprint.yaml").write_text("tosca_definitions_version: cloudify_dsl_1_3\nx: 1\n")
    with pytest.raises(CloudifyClientError) as caught:
        client.blueprints.upload(str(folder / "app" / "my blueprint.yaml"), name)
    assert (caught.value.status_code, caught.value.error_code) == (400, "invalid_blueprint_error")
