"""Blueprints as clients upload, look at, fetch and delete them: tables from the REST contract."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from manager.gateway import settings_of
from manager.models import Blueprint, Deployment
from manager.storage import engine_for
from tests.support import archives
from tests.support.archives import blueprint, tar, tar_bz2, tar_gz, zipped
from tests.support.hostile_archives import HOSTILE
from tests.support.uploads import error_of, files_of, pieces, remove_all, upload

pytestmark = pytest.mark.integration

KEYS = {
    *("id", "description", "main_file_name", "created_at", "updated_at", "visibility", "tenant_name"),
    "created_by",
}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def clean(rest, node) -> Iterator[None]:
    """No blueprints before and after, and no files."""
    yield
    remove_all(rest)
    assert files_of(node) == []


@pytest.mark.parametrize(
    ("make", "ending"), [(tar, "tar"), (tar_gz, "tar.gz"), (tar_bz2, "tar.bz2"), (zipped, "zip")]
)
def test_the_life_of_a_blueprint(rest, node, name, clean, make, ending):
    content = make()
    created = upload(rest, name, content, "?application_file_name=blueprint.yaml&visibility=tenant")
    assert created.status_code == 201
    assert created.json()["id"] == name

    listed = rest.get("/blueprints").json()["items"]
    assert [item["id"] for item in listed] == [name]
    assert set(listed[0]) >= KEYS
    assert listed[0]["description"] == "two hosts with a web server each"
    assert TIMESTAMP.fullmatch(listed[0]["created_at"])
    assert listed[0]["created_by"] == "admin"

    one = rest.get(f"/blueprints/{name}").json()
    assert {"metadata", "inputs"} <= set(one["plan"])

    fetched = rest.get(f"/blueprints/{name}/archive")
    assert fetched.content == content
    assert fetched.headers["Content-Length"] == str(len(content))
    assert fetched.headers["Content-Disposition"] == f"attachment; filename={name}.{ending}"

    deleted = rest.delete(f"/blueprints/{name}?force=false")
    assert (deleted.status_code, deleted.json()["id"]) == (200, name)
    assert error_of(rest.get(f"/blueprints/{name}")) == (404, "not_found_error")
    assert rest.get(f"/blueprints/{name}").json()["message"] == (
        f"Requested `Blueprint` with ID `{name}` was not found"
    )
    assert files_of(node) == []


@pytest.mark.parametrize(
    ("query", "visibility"),
    [
        ("", "tenant"),
        ("?visibility=private", "private"),
        ("?visibility=", "tenant"),
        ("?private_resource=True", "private"),
        ("?private_resource=False", "tenant"),
        ("?private_resource=True&visibility=global", "global"),
    ],
)
def test_who_shall_see_it_as_clients_of_any_age_say_it(rest, name, clean, query, visibility):
    assert upload(rest, name, query=query).json()["visibility"] == visibility


@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream", "", "text/plain"])
def test_whatever_clients_call_the_body(rest, name, clean, kind):
    assert upload(rest, name, headers={"Content-type": kind}).status_code == 201


def test_a_body_with_its_length(rest, name, clean):
    assert rest.request("PUT", f"/blueprints/{name}", data=blueprint()).status_code == 201


@pytest.mark.parametrize("encoded", ["my%20bp.yaml", "my%2520bp.yaml"])
def test_a_main_file_of_another_name(rest, name, clean, encoded):
    content = blueprint(name="my bp.yaml")
    assert upload(rest, name, content, f"?application_file_name={encoded}").status_code == 201
    assert rest.get(f"/blueprints/{name}").json()["main_file_name"] == "my bp.yaml"


def form(content: bytes | None, boundary: str = "b0undary", **parameters: object) -> bytes:
    """A form as newer clients send it."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n\r\n'
    parts = [f"{head}{json.dumps(parameters)}\r\n".encode()]
    if content is not None:
        head = (
            f"--{boundary}\r\nContent-Disposition: form-data; "
            'name="blueprint_archive"; filename="filename"\r\nContent-Type: text/plain\r\n\r\n'
        )
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


FORM = {"Content-type": "multipart/form-data; boundary=b0undary"}


def test_a_form_as_newer_clients_send_it(rest, name, clean):
    content = blueprint(name="other.yaml")
    body = form(content, application_file_name="other.yaml", visibility="private", async_upload=False)
    created = rest.request("PUT", f"/blueprints/{name}", data=pieces(body, 7), headers=FORM)
    assert created.status_code == 201
    assert created.json()["visibility"] == "private"
    assert rest.get(f"/blueprints/{name}/archive").content == content


WRONG_FORMS = [
    (b"nonsense", "cannot be read"),
    (form(b"x")[:-20], "broke off"),
    (form(b"x").replace(b"{}", b"[]"), "not a JSON object"),
    (form(b"x").replace(b"{}", b"{,"), "not valid JSON"),
    (form(b"x", visibility=1), "expected text"),
    (form(None), "of no kind"),
    (form(b"x", visibility="x" * 70_000), "longer than"),
]


@pytest.mark.parametrize(("body", "words"), WRONG_FORMS)
def test_forms_that_cannot_be_read(rest, name, clean, body, words):
    answer = rest.request("PUT", f"/blueprints/{name}", data=body, headers=FORM)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


WRONG = [
    # query, content, error code, words
    ("?application_file_name=no.yaml", blueprint(), "bad_parameters_error", "does not exist in the app"),
    ("?application_file_name=../x", blueprint(), "bad_parameters_error", "does not exist in the app"),
    ("?visibility=all", blueprint(), "bad_parameters_error", "Invalid visibility"),
    ("", b"", "invalid_blueprint_error", "of no kind"),
    ("", b"no archive", "invalid_blueprint_error", "of no kind"),
    ("", blueprint("a: b"), "invalid_blueprint_error", "tosca_definitions_version"),
    ("", tar({"blueprint.yaml": b""}), "invalid_blueprint_error", "exactly one folder"),
    ("?blueprint_archive_url=file:///etc/passwd", b"", "bad_parameters_error", "not an http or https"),
    ("?blueprint_archive_url=http://127.0.0.1:1/x", b"", "bad_parameters_error", "could not be fetched"),
]


@pytest.mark.parametrize(("query", "content", "code", "words"), WRONG)
def test_uploads_that_are_refused_leave_nothing(rest, node, name, query, content, code, words):
    answer = upload(rest, name, content, query)
    assert error_of(answer) == (400, code)
    assert words in answer.json()["message"]
    assert str(node.config.paths.state) not in answer.json()["message"]
    assert rest.get(f"/blueprints/{name}").status_code == 404
    assert files_of(node) == []


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_archives_leave_nothing(rest, node, name, what):
    """Also those that are refused for their size only by the smaller limits of the unit test."""
    answer = upload(rest, name, HOSTILE[what][0])
    assert answer.status_code == 400
    assert answer.json()["error_code"] in {"invalid_blueprint_error", "bad_parameters_error"}
    assert files_of(node) == []


@pytest.mark.parametrize("identifier", ["a b", "ä", "a%2Fb", "%2E%2E", "x" * 256, "a%00", "a%0Ab"])
def test_ids_that_cannot_be(rest, node, identifier):
    assert upload(rest, identifier).status_code in {400, 404, 405}
    assert files_of(node) == []


@pytest.fixture
def several(rest, name, clean) -> list[str]:
    names = [f"{name}-{letter}" for letter in "bca"]
    for each in names:
        assert upload(rest, each).status_code == 201
    return names


def test_lists_follow_the_conventions(rest, name, several):
    def ids(query: str) -> list[str]:
        answer = rest.get(f"/blueprints?{query}")
        assert answer.status_code == 200, answer.text
        return [item["id"].removeprefix(f"{name}-") for item in answer.json()["items"]]

    middle = rest.get(f"/blueprints/{several[1]}").json()["created_at"]
    assert ids("") == ["a", "b", "c"]
    assert ids("_sort=-id") == ["c", "b", "a"]
    assert ids("_sort=created_at") == ["b", "c", "a"]
    assert ids("_sort=-created_by&_sort=tenant_name&_sort=created_at") == ["b", "c", "a"]
    assert ids("_size=1&_offset=1") == ["b"]
    assert ids("_search=-C") == ["c"]
    assert ids(f"id={several[0]}&id={several[2]}") == ["a", "b"]
    assert ids("created_by=admin&main_file_name=blueprint.yaml") == ["a", "b", "c"]
    assert ids("created_by=nobody") == []
    assert set(ids(f"_range=created_at,{middle},")) >= {"a"}
    assert "b" not in ids("_range=created_at,2999-01-01T00:00:00Z,")
    paged = rest.get("/blueprints?_size=2").json()["metadata"]["pagination"]
    assert paged == {"total": 3, "offset": 0, "size": 2}


def test_plans_come_in_lists_only_when_asked_for(rest, several):
    assert "plan" not in rest.get("/blueprints").json()["items"][0]
    assert set(rest.get("/blueprints?_include=id,plan").json()["items"][0]) == {"id", "plan"}
    assert set(rest.get(f"/blueprints/{several[0]}?_include=id").json()) == {"id"}
    assert error_of(rest.get("/blueprints?_include=nonsense")) == (400, "no_such_include_field_error")
    assert error_of(rest.get("/blueprints?plan=1")) == (400, "bad_parameters_error")


def test_a_blueprint_with_deployments_stays(rest, node, name, clean):
    upload(rest, name)
    engine = engine_for(settings_of(node.config).database, writers=1)
    with Session(engine) as session:
        mine = session.scalars(select(Blueprint).where(Blueprint.id == name)).one()
        empty = ("inputs", "outputs", "capabilities", "workflows", "groups", "scaling_groups")
        more = ("policy_types", "policy_triggers")
        parts = {"labels": [], **{part: {} for part in (*empty, *more)}}
        deployment = Deployment(id="dep", tenant_id=mine.tenant_id, blueprint_pk=mine.pk, **parts)
        session.add(deployment)
        session.commit()
        for force in ("false", "true"):
            refused = rest.delete(f"/blueprints/{name}?force={force}")
            assert error_of(refused) == (400, "dependent_exists_error")
            assert "dep" in refused.json()["message"]
        assert rest.get(f"/blueprints/{name}/archive").status_code == 200
        session.delete(deployment)
        session.commit()
    engine.dispose()
    assert rest.delete(f"/blueprints/{name}").status_code == 200


def test_the_view_names_just_the_units_that_are_there(rest, node, several):
    rest.delete(f"/blueprints/{several[0]}")
    engine = engine_for(settings_of(node.config).database, writers=1)
    with engine.connect() as connection:
        named = set(connection.exec_driver_sql("SELECT path FROM replicated_files").scalars())
    engine.dispose()
    files = node.config.paths.files
    assert named == {str(path.relative_to(files)) for path in files.glob("blueprints/*/*/*")}
    assert len(named) == 2


def test_openapi_says_what_there_is(rest):
    document = rest.get("/api/spec").json()
    assert set(document["paths"]["/api/v3.1/blueprints/{identifier}"]) == {"put", "get", "delete"}
    assert "multipart/form-data" in str(document["paths"]["/api/v3.1/blueprints/{identifier}"]["put"])


def test_a_body_of_a_type_that_says_nothing_is_the_archive(rest, name, clean):
    assert (
        upload(rest, name, archives.zipped(), headers={"Content-type": "multipart/mixed"}).status_code == 201
    )
