"""``ctx``, as users know it, over the manager's own database."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support.operations import Bench, Place
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def test_runtime_properties_are_stored_when_the_operation_ends(place: Place) -> None:
    place.python("ctx.instance.runtime_properties['port'] = 80")
    assert place.properties() == {"port": 80}
    place.python("ctx.instance.runtime_properties['port'] += 1; raise ValueError('but it failed')")
    assert place.properties() == {"port": 81}
    answer = place.python("return ctx.instance.runtime_properties['port']")
    assert answer.result == 81


def test_ctx_is_an_argument_and_can_be_imported(place: Place) -> None:
    body = "import cloudify; return [cloudify.ctx.instance.id, ctx.instance.id, inputs]"
    answer = place.python(body, kwargs={"a": 1})
    assert answer.result == [place.app, place.app, {"a": 1}]


def test_what_the_operation_belongs_to(place: Place) -> None:
    body = """
return [ctx.execution_id, ctx.workflow_id, ctx.deployment.id, ctx.blueprint.id, ctx.tenant_name,
        ctx.plugin.name, ctx.operation.name, ctx.task_name, ctx.type, ctx.node.name, ctx.node.type,
        ctx.get_execution().status]
"""
    answer = place.python(body.strip())
    name = place.deployment
    assert answer.result[:6] == [place.execution, "install", name, name, "default_tenant", "x"]
    kind = ["node-instance", "app", "cloudify.nodes.Root", "started"]
    assert (answer.result[6], answer.result[8:]) == ("cloudify.interfaces.lifecycle.create", kind)


def test_a_property_that_somebody_else_changed_in_between_is_not_overwritten(place: Place) -> None:
    body = """
import psycopg2
ctx.instance.runtime_properties["mine"] = 1
OTHERS
return "done"
"""
    others = place.python(body.replace("OTHERS", CHANGE_BESIDE), kwargs=_database(place.bench))
    assert (others.outcome, others.recoverable) == ("failed", True)
    assert "conflict" in str(others.error)
    assert place.properties() == {"theirs": 1}


def test_a_conflict_can_be_resolved_by_the_operation(place: Place) -> None:
    body = """
ctx.instance.runtime_properties["mine"] = 1
OTHERS
ctx.instance.update(on_conflict=lambda mine, latest: {**mine, **latest})
"""
    answer = place.python(body.replace("OTHERS", CHANGE_BESIDE), kwargs=_database(place.bench))
    assert answer.outcome == "succeeded", answer.error
    assert place.properties() == {"mine": 1, "theirs": 1}


CHANGE_BESIDE = """
import psycopg2
other = psycopg2.connect(**inputs)
update = "UPDATE node_instances SET version = version + 1, runtime_properties = %s WHERE id = %s"
other.cursor().execute(update, ('{"theirs": 1}', ctx.instance.id))
other.commit()
other.close()
"""


def _database(bench: Bench) -> dict[str, object]:
    settings = bench.settings.database
    return {
        "host": str(settings.socket_folder),
        "port": settings.port,
        "user": "cloudify",
        "dbname": "cloudify",
    }


@pytest.mark.parametrize(
    ("value", "error"), [("object()", "cannot be stored as JSON"), ("'a\\0b'", "hold a NUL character")]
)
def test_what_cannot_be_stored_as_a_property_fails_for_good(place: Place, value: str, error: str) -> None:
    answer = place.python(f"ctx.instance.runtime_properties['a'] = {value}")
    assert (answer.outcome, answer.recoverable) == ("failed", False)
    assert error in str(answer.error)


def test_relationships_lead_to_their_targets(place: Place) -> None:
    body = """
(relationship,) = ctx.instance.relationships
target = relationship.target
return [relationship.type, relationship.type_hierarchy, target.node.name, target.instance.id,
        target.instance.runtime_properties]
"""
    answer = place.python(body.strip())
    contained = "cloudify.relationships.contained_in"
    assert answer.result == [contained, [contained], "host", place.host, {}]


def test_an_operation_of_a_relationship_has_source_and_target(place: Place) -> None:
    related = {"node_id": place.host, "node_name": "host", "is_target": True}
    body = """
ctx.source.instance.runtime_properties['peer'] = ctx.target.instance.id
ctx.target.instance.runtime_properties['peer'] = ctx.source.instance.id
ctx.logger.info("joined")
return [ctx.type, ctx.source.node.name, ctx.target.node.name]
"""
    answer = place.python(body.strip(), related=related)
    assert answer.result == ["relationship-instance", "app", "host"]
    assert (place.properties(), place.properties(place.host)) == ({"peer": place.host}, {"peer": place.app})
    assert (place.lines()[-1].source_id, place.lines()[-1].target_id) == (place.app, place.host)


def test_the_hosts_address_is_found(working: Bench) -> None:
    place = working.place(host_properties={"ip": "192.0.2.1"})
    assert place.python("return ctx.instance.host_ip").result == "192.0.2.1"


def test_node_properties_can_be_read_and_not_changed(working: Bench) -> None:
    place = working.place(app_properties={"port": 80})
    assert place.python("return ctx.node.properties").result == {"port": 80}
    answer = place.python("ctx.node.properties['port'] = 81")
    assert (answer.outcome, answer.recoverable) == ("failed", False)


def test_functions_are_evaluated_when_the_operation_runs(working: Bench) -> None:
    place = working.place(
        inputs={"domain": "example.org"},
        app_properties={
            "name": "www",
            "full": {"concat": [{"get_attribute": ["SELF", "name"]}, ".", {"get_input": "domain"}]},
        },
    )
    place.python("ctx.instance.runtime_properties['port'] = 80")
    address = {"concat": [{"get_property": ["app", "full"]}, ":", {"get_attribute": ["SELF", "port"]}]}
    answer = place.python(
        "return [inputs['address'], ctx.node.properties['full']]",
        kwargs={"address": address},
        has_intrinsic_functions=True,
    )
    assert answer.result == ["www.example.org:80", "www.example.org"], answer.error


def test_a_capability_of_another_deployment_is_evaluated_there(working: Bench) -> None:
    other = working.place(
        inputs={"port": 80},
        capabilities={"url": {"value": {"at": {"concat": ["x:", {"get_input": "port"}]}}}},
    )
    asked = {"get_capability": [other.deployment, "url", "at"]}
    answer = working.place().python("return inputs", kwargs={"a": asked}, has_intrinsic_functions=True)
    assert answer.result == {"a": "x:80"}, answer.error


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"get_input": "colour"}, "no input colour"),
        ({"get_secret": "key"}, "no values for it"),
        ({"get_capability": ["nowhere", "url"]}, "no deployment 'nowhere'"),
        ({"get_attribute": ["nothing", "url"]}, "has no instances"),
    ],
)
def test_a_function_that_has_no_value_says_so(place: Place, asked: object, error: str) -> None:
    answer = place.python("return inputs", kwargs={"a": asked}, has_intrinsic_functions=True)
    assert answer.outcome == "failed"
    assert error in str(answer.error)


def test_files_of_the_archive_are_read_copied_and_rendered(place: Place, tmp_path: Path) -> None:
    place.write(
        {"files/a.txt": "plain", "files/b.txt": "{{ ctx.instance.id }} {{ word }}", "files/deep/c.txt": "c"}
    )
    tmp_path.chmod(0o777)
    body = f"""
target = ctx.download_resource('files/a.txt', {str(tmp_path / "a")!r})
rendered = ctx.download_resource_and_render('files/b.txt', template_variables={{'word': 'w'}})
folder = ctx.download_directory('files', {str(tmp_path / "all")!r})
again = ctx.get_resource_and_render('files/b.txt', {{'word': 'v'}}).decode()
return [ctx.get_resource('files/a.txt').decode(), open(target).read(), open(rendered).read(),
        again, open(folder + '/deep/c.txt').read()]
"""
    answer = place.python(body.strip())
    assert answer.result == ["plain", "plain", f"{place.app} w", f"{place.app} v", "c"], answer.error


@pytest.mark.parametrize("name", ["nowhere.txt", "../archive", "/etc/passwd", "files", "link"])
def test_what_is_not_a_file_of_the_archive_is_not_found(place: Place, name: str) -> None:
    place.write({"files/a.txt": "plain", "../archive": "what was uploaded"})
    (place.content / "link").symlink_to("/etc/passwd")
    answer = place.python(f"ctx.get_resource({name!r})")
    assert (answer.outcome, answer.recoverable) == ("failed", False)
    assert "Resource not found" in str(answer.error)


def test_a_folder_to_work_in_belongs_to_the_deployment(place: Place) -> None:
    folders = place.python("return [ctx.plugin.workdir, ctx._endpoint.get_workdir()]").result
    assert all(Path(folder).is_relative_to(place.bench.settings.work) for folder in folders)
    assert Path(folders[0]).is_dir()


def test_what_it_says_is_in_the_events_in_order_when_it_is_answered(place: Place) -> None:
    body = """
ctx.logger.debug("one")
ctx.logger.warning("two %s", 2)
ctx.send_event("three")
import threading
threads = [threading.Thread(target=ctx.logger.info, args=(f"thread {n}",)) for n in range(5)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
ctx.logger.info("nul \\0 and half \\ud800")
"""
    assert place.python(body.strip()).outcome == "succeeded"
    lines = place.lines()
    assert [line.message for line in lines[:3]] == ["one", "two 2", "three"]
    assert sorted(line.message for line in lines[3:8]) == [f"thread {n}" for n in range(5)]
    assert lines[8].message == "nul \N{REPLACEMENT CHARACTER} and half ?"
    assert [(line.type, line.level, line.event_type) for line in lines[:3]] == [
        ("cloudify_log", "debug", None),
        ("cloudify_log", "warning", None),
        ("cloudify_event", None, "plugin_event"),
    ]
    assert {(line.node_instance_id, line.node_name, line.operation, line.workflow_id) for line in lines} == {
        (place.app, "app", "cloudify.interfaces.lifecycle.create", "install")
    }


def test_lines_stay_behind_those_that_were_written_by_another_leaders_clock(place: Place) -> None:
    place.python("ctx.logger.info('first')")
    ahead = text("UPDATE events SET reported_timestamp = now() + interval '1 hour' WHERE execution_id = :id")
    with place.bench.session() as session:
        session.execute(ahead, {"id": place.execution})
        session.commit()
    place.python("ctx.logger.info('second'); ctx.logger.info('third')")
    assert [line.message for line in place.lines()] == ["first", "second", "third"]


def test_what_it_says_is_read_while_it_runs(place: Place, tmp_path: Path) -> None:
    body = f"""
import os, time
ctx.logger.info("begun")
while not os.path.exists({str(tmp_path / "go")!r}):
    time.sleep(0.02)
ctx.logger.info("done")
"""
    tmp_path.chmod(0o777)
    place.write(
        {"x/slow.py": "def run(ctx, **_):\n" + "".join(f"    {line}\n" for line in body.splitlines())}
    )
    message = place.message("slow.run")
    place.bench.send(message)
    eventually(lambda: [line.message for line in place.lines()] == ["begun"], 20, "its first line")
    (tmp_path / "go").touch()
    place.bench.answer(message)
    assert [line.message for line in place.lines()] == ["begun", "done"]
