"""Blueprints are parsed and planned as their authors expect, in a process that can do no harm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from manager import dsl
from manager.errors import BadParameters, InvalidBlueprint, MissingInput, UnknownInput
from tests.support.archives import BLUEPRINT

HEAD = "tosca_definitions_version: cloudify_dsl_1_3\n"
TYPES = "imports: [cloudify/types/types.yaml]\n"
ROOT = "node_templates: {a: {type: cloudify.nodes.Root}}\n"


@pytest.fixture
def folder(tmp_path: Path):
    """Writes files into a folder, and says where."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / "content" / name.replace("__", "/").replace("_yaml", ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "content"

    return write


def test_a_plan_has_what_clients_look_at(folder):
    plan = dsl.parse(folder(blueprint_yaml=BLUEPRINT), "blueprint.yaml")
    assert {"metadata", "inputs", "nodes", "workflows", "description"} <= set(plan)
    assert set(plan["workflows"]) == {
        *("install", "uninstall", "execute_operation", "scale", "heal", "start", "stop", "restart"),
        *("install_new_agents", "validate_agents"),
    }
    assert plan["description"] == "two hosts with a web server each"


def test_a_deployment_has_the_right_node_instances(folder):
    plan = dsl.parse(folder(blueprint_yaml=BLUEPRINT), "blueprint.yaml")
    prepared = dsl.prepare(plan, {"size": 3})
    hosts = {it["id"] for it in prepared.node_instances if it["node_id"] == "host"}
    servers = [it for it in prepared.node_instances if it["node_id"] == "server"]
    assert prepared.inputs == {"size": 3}
    assert len(hosts) == len(servers) == 3
    assert {it["host_id"] for it in servers} == hosts


ADDRESSES = [
    "cloudify/types/types.yaml",
    "http://www.getcloudify.org/spec/cloudify/4.3/types.yaml",
    "https://www.getcloudify.org/spec/cloudify/3.4.1/types.yaml",
    "http://getcloudify.org/spec/cloudify/4.0m1/types.yaml",
    "https://cloudify.co/spec/cloudify/6.3.0/types.yaml",
    "https://raw.githubusercontent.com/cloudify-cosmo/cloudify-manager/master/resources/cloudify/types/types.yaml",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("version", ["1_0", "1_1", "1_2", "1_3", "1_4", "1_5"])
def test_the_usual_types_are_there_by_every_address_and_in_every_version(folder, address, version):
    text = f"tosca_definitions_version: cloudify_dsl_{version}\nimports: ['{address}']\n{ROOT}"
    plan = dsl.parse(folder(blueprint_yaml=text), "blueprint.yaml")
    assert [node["type"] for node in plan["nodes"]] == ["cloudify.nodes.Root"]


def test_what_a_blueprint_says_of_an_agent_is_added_to_what_is_usual(folder):
    node = "node_templates: {a: {type: cloudify.nodes.Compute, properties: {agent_config: {user: me}}}}\n"
    plan = dsl.parse(folder(blueprint_yaml=HEAD + TYPES + node), "blueprint.yaml")
    expected = {"install_method": "remote", "port": 22, "user": "me"}
    assert plan["nodes"][0]["properties"]["agent_config"] == expected


def test_files_of_the_archive_are_imported_from_wherever_they_are(folder):
    place = folder(
        sub__blueprint_yaml=HEAD + "imports: [near.yaml, deep/far.yaml, top.yaml]\n" + ROOT,
        sub__near_yaml=TYPES,
        sub__deep__far_yaml="imports: [beside.yaml]",
        sub__deep__beside_yaml="inputs: {beside: {}}",
        top_yaml="inputs: {top: {}}",
    )
    plan = dsl.parse(place, "sub/blueprint.yaml")
    assert set(plan["inputs"]) == {"beside", "top"}


def test_scripts_of_the_archive_are_found_and_those_outside_are_not(folder, tmp_path):
    (tmp_path / "outside.sh").write_text("x")
    node = (
        HEAD
        + TYPES
        + "node_templates: {a: {type: cloudify.nodes.Root, interfaces: {cloudify.interfaces.lifecycle: "
        + "{create: {implementation: %s, executor: central_deployment_agent}}}}}"
    )
    place = folder(scripts__run_yaml="", good_yaml=node % "scripts/run.yaml", bad_yaml=node % "../outside.sh")
    operations = dsl.parse(place, "good.yaml")["nodes"][0]["operations"]
    assert operations["cloudify.interfaces.lifecycle.create"]["operation"].startswith("script_runner")
    with pytest.raises(InvalidBlueprint, match="Could not extract plugin"):
        dsl.parse(place, "bad.yaml")


INVALID = {
    "no YAML": ("a: [1,\n b: }", "Illegal yaml|cannot be"),
    "a YAML that is no mapping": ("- 1", "mapping|list|dict|schema|type"),
    "empty": ("", "tosca_definitions_version field must appear"),
    "an unknown version": ("tosca_definitions_version: cloudify_dsl_9_9", "Unexpected tosca_definitions"),
    "an unknown type": (HEAD + TYPES + "node_templates: {a: {type: b}}", "Could not locate node type: 'b'"),
    "a field that is no field": (HEAD + TYPES + ROOT + "nonsense: 1", "'nonsense' is not in schema"),
    "a relationship to nothing": (
        HEAD
        + TYPES
        + "node_templates: {a: {type: cloudify.nodes.Root, relationships: "
        + "[{type: cloudify.relationships.depends_on, target: z}]}}",
        "undefined target node",
    ),
    "an import that is not there": (HEAD + "imports: [nothing.yaml]", "not in the archive"),
    "an import of this machine's files": (HEAD + "imports: [/etc/passwd]", "not in the archive"),
    "an import by file URL": (HEAD + "imports: ['file:///etc/passwd']", "not in the archive"),
    "an import out of the archive": (HEAD + "imports: [../../../../../etc/passwd]", "not in the archive"),
    "an import of this machine's services": (
        HEAD + "imports: ['http://127.0.0.1:8500/v1/kv/']",
        "only this machine can reach|cannot be read",
    ),
    "an import of another kind": (HEAD + "imports: ['ftp://example.com/x.yaml']", "Import failed"),
    "a plugin that nobody uploaded": (HEAD + "imports: ['plugin:x']", "no plugins to import"),
    "letters beyond ASCII": (HEAD + TYPES + ROOT + "description: ü", "Only valid ascii"),
    "nested too deeply": (HEAD + "inputs: " + "{a: " * 3000 + "1" + "}" * 3000, "nested|memory|Illegal"),
    "a name too long for the database": (
        HEAD + TYPES + f"node_templates: {{{'n' * 300}: {{type: cloudify.nodes.Root}}}}",
        "too long",
    ),
    "NUL": (HEAD + TYPES + ROOT + 'description: "a\\0b"', "NUL"),
}


@pytest.mark.parametrize("what", INVALID)
def test_what_is_invalid_is_refused_with_the_parsers_message(folder, what):
    text, words = INVALID[what]
    with pytest.raises(InvalidBlueprint, match=words) as caught:
        dsl.parse(folder(blueprint_yaml=text), "blueprint.yaml")
    assert "content/" not in str(caught.value)


def test_a_bomb_of_references_does_not_fill_this_machine(folder):
    lines = ["dsl_definitions:", "  a0: &a0 {x: [1, 2, 3, 4, 5, 6, 7, 8, 9]}"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    text = HEAD + TYPES + "\n".join(lines) + "\nnode_templates: {a: {type: cloudify.nodes.Compute, "
    text += "properties: {agent_config: {x: *a11}}}}"
    with pytest.raises(InvalidBlueprint, match=r"memory|time|longer"):
        dsl.parse(folder(blueprint_yaml=text), "blueprint.yaml")


def test_a_parser_that_dies_is_the_blueprints_fault(folder, monkeypatch):
    dead = subprocess.CompletedProcess([], -9, b"", b"\xffKilled")
    monkeypatch.setattr(dsl, "_run", lambda _: dead)
    with pytest.raises(InvalidBlueprint, match="too much memory or time"):
        dsl.parse(folder(blueprint_yaml=BLUEPRINT), "blueprint.yaml")


def test_what_takes_too_long_is_ended(folder, monkeypatch):
    monkeypatch.setattr(dsl, "TIMEOUT_S", 0.001)
    with pytest.raises(InvalidBlueprint, match="could not be parsed within"):
        dsl.parse(folder(blueprint_yaml=BLUEPRINT), "blueprint.yaml")


@pytest.mark.parametrize("name", ["other.yaml", "../secret.yaml", "/etc/passwd", ".", ""])
def test_a_main_file_that_is_not_in_the_archive(folder, name, tmp_path):
    (tmp_path / "secret.yaml").write_text(BLUEPRINT)
    with pytest.raises(BadParameters, match="does not exist in the application directory"):
        dsl.parse(folder(blueprint_yaml=BLUEPRINT), name)


INPUTS = HEAD + TYPES + "inputs: {needed: {}, number: {type: integer, default: 1}}\n"

WRONG_INPUTS = [
    ({}, MissingInput, "needed"),
    ({"needed": 1, "more": 2}, UnknownInput, "more"),
    ({"needed": 1, "number": "many"}, BadParameters, "number"),
]


@pytest.mark.parametrize(("inputs", "error", "words"), WRONG_INPUTS)
def test_inputs_that_do_not_fit(folder, inputs, error, words):
    plan = dsl.parse(folder(blueprint_yaml=INPUTS + ROOT), "blueprint.yaml")
    with pytest.raises(error, match=words):
        dsl.prepare(plan, inputs)


def test_more_instances_than_a_deployment_may_have(folder):
    plan = dsl.parse(folder(blueprint_yaml=BLUEPRINT), "blueprint.yaml")
    with pytest.raises((BadParameters, InvalidBlueprint), match=r"more than|too much"):
        dsl.prepare(plan, {"size": 6000})


def test_the_parser_learns_no_secrets(folder, monkeypatch):
    monkeypatch.setenv("CLOUDIFY_ADMIN_PASSWORD", "secret")
    seen = {}

    def run(command: list[str], **more: object) -> object:
        seen.update(more)
        raise OSError

    monkeypatch.setattr(dsl.subprocess, "run", run)
    with pytest.raises(Exception, match="could not be started"):
        dsl.parse(folder(blueprint_yaml=BLUEPRINT), "blueprint.yaml")
    assert "secret" not in str(seen["env"])


def test_a_function_that_another_package_brings_is_known(folder, tmp_path, monkeypatch):
    """The parser asks ``pkg_resources`` for these, in whose place stands what takes less time (``lean``)."""
    package = tmp_path / "packages"
    (package / "loud-1.0.dist-info").mkdir(parents=True)
    (package / "loud-1.0.dist-info" / "METADATA").write_text("Name: loud\nVersion: 1.0\n")
    (package / "loud-1.0.dist-info" / "entry_points.txt").write_text(
        "[cloudify.tosca.ext.functions]\nloud = loud:loud\n"
    )
    (package / "loud.py").write_text(LOUD)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package), *sys.path]))
    text = HEAD + TYPES + ROOT + "outputs: {a: {value: {loud: hello}}}"
    with pytest.raises(InvalidBlueprint, match="heard hello"):
        dsl.parse(folder(blueprint_yaml=text), "blueprint.yaml")


LOUD = """
def loud(args, **_):
    raise ValueError(f"heard {args}")
"""
