"""Inputs, in each form in which users give them."""

from __future__ import annotations

import json

import pytest

CREATED = (201, {"id": "web"})
CREATE = ("deployments", "create", "web", "-b", "shop")


@pytest.fixture
def manager(cfy, managers, tmp_path, monkeypatch):
    manager = managers.add({"PUT /deployments/web": CREATED})
    cfy.profile(manager, port=managers.port)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inputs.yaml").write_text("port: 8080\nday: 2026-11-22\nhosts: [a, b]\n")
    (tmp_path / "more-inputs.yaml").write_text("port: 9090\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "list.yaml").write_text("- port\n")
    (tmp_path / "broken.yaml").write_text("port: [1\n")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder").mkdir()
    return manager


FILE = {"port": 8080, "day": "2026-11-22", "hosts": ["a", "b"]}


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ([], {}),
        (["port=80"], {"port": "80"}),
        (["port=80;host=a"], {"port": "80", "host": "a"}),
        ([" port = 80 ; "], {"port": "80"}),
        (["query=a=b"], {"query": "a=b"}),
        (["empty="], {"empty": ""}),
        (['{"port": 80, "tls": {"on": true}}'], {"port": 80, "tls": {"on": True}}),
        (["{port: 80}"], {"port": 80}),
        (["inputs.yaml"], FILE),
        (["empty.yaml"], {}),
        (["*inputs.yaml"], {**FILE, "port": 9090}),
        (["inputs.yaml", "port=1"], {**FILE, "port": "1"}),
        (["port=1", "inputs.yaml"], FILE),
    ],
)
def test_forms(cfy, manager, given, inputs):
    result = cfy(*CREATE, *(part for text in given for part in ("-i", text)))
    assert result.exit_code == 0, result.stderr
    assert manager.seen[0].body["inputs"] == inputs


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("missing.yaml", "'missing.yaml' is neither a file nor of the form NAME=VALUE"),
        ("port=80;host", "wrong at 'host'"),
        ("=80", "'=80' is neither a file nor of the form NAME=VALUE"),
        ("{port", "neither YAML nor JSON"),
        ("{}}", "neither YAML nor JSON"),
        ("{1: 2}", "map names to values"),
        ("list.yaml", "list.yaml has to map names to values"),
        ("broken.yaml", "broken.yaml is neither YAML nor JSON"),
        ("binary.yaml", "binary.yaml cannot be read"),
        ("folder", "folder cannot be read"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(cfy, manager, given, complaint):
    result = cfy(*CREATE, "-i", given)
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.replace("│", " ").split())
    assert not manager.seen


def test_they_are_sent_as_json(cfy, manager):
    cfy(*CREATE, "-i", "inputs.yaml")
    assert json.loads(json.dumps(manager.seen[0].body["inputs"])) == FILE
