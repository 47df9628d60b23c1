"""The workflow that the how-to page shows does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from manager.workflows.model import Task
from tests.support.rest import manager_node
from tests.support.workflow_engine import Works, custom

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "write-workflows.md"
NODES = """
node_types:
  person:
    derived_from: cloudify.nodes.Root
    interfaces:
      my.interface: {ask: mine.ops.ask, greet: mine.ops.greet}
node_templates:
  ann: {type: person}
  bob: {type: person}
"""


def shown(language: str) -> str:
    """The first example of the page in this language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found, f"the page has no {language}"
    return found[1]


def test_the_example_of_the_page():
    calls = []

    def answer(task: Task) -> Any:
        context = task.parameters["context"]
        name = context["operation"]["name"].rpartition(".")[2]
        calls.append((name, context["node_name"], task.parameters["kwargs"]))
        return "fine"

    with manager_node() as node:
        works = Works(node)
        site = works.site(shown("yaml") + NODES, {"mine/flows.py": shown("python")})
        execution = site.execute("greet", parameters={"word": "hello", "loud": False})
        with custom(works, execution) as process:
            assert process.carried_out(answer) == ("succeeded", None)
        said = [message for _, message in works.lines(execution) if message.endswith(" says fine")]
    asked, greeted = calls[:2], calls[2:]
    assert {(name, node) for name, node, _ in asked} == {("ask", "ann"), ("ask", "bob")}
    assert all(given == {"word": "hello"} for *_, given in asked)
    # A sequence: one after the other.
    assert [name for name, *_ in greeted] == ["greet", "greet"]
    assert len(said) == 2
