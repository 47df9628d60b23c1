"""An operation in the plan becomes a task with all that whoever runs it has to know."""

from __future__ import annotations

import pytest
from cloudify.context import CloudifyContext

from manager.workflows import builtin
from manager.workflows.mappings import UnknownWorkflow, custom, is_custom
from manager.workflows.model import TaskType

LIFECYCLE = "cloudify.interfaces.lifecycle"
ESTABLISH = "cloudify.interfaces.relationship_lifecycle.establish"


def relationship(ctx, source: str, target: str):
    instance = ctx.get_node_instance(source)
    return next(item for item in instance.relationships if item.target_id == target)


def test_a_task_says_where_and_how_often(shop):
    ctx = shop().context()
    made = ctx.get_node_instance("stock_1").execute_operation(f"{LIFECYCLE}.create")
    assert (made.type, made.name) == (TaskType.REMOTE, "db.create")
    told = {name: made.parameters[name] for name in ("executor", "agent", "max_retries", "retry_interval_s")}
    assert told == {"executor": "manager", "agent": None, "max_retries": 1, "retry_interval_s": 2}


def test_what_the_blueprint_does_not_say_is_as_the_manager_is_configured(shop):
    ctx = shop().context()
    made = ctx.get_node_instance("till_1").execute_operation(f"{LIFECYCLE}.create")
    assert made.parameters["max_retries"] == 60
    assert made.parameters["retry_interval_s"] == 15.0
    assert made.parameters["timeout_s"] is None


def test_its_context_is_one_that_cloudify_takes(shop):
    ctx = shop().context()
    made = ctx.get_node_instance("till_1").execute_operation(f"{LIFECYCLE}.configure")
    context = CloudifyContext({**made.parameters["context"], "rest_token": "t"})
    assert context.operation.name == f"{LIFECYCLE}.configure"
    assert (context.execution_id, context.workflow_id) == ("e1", "a_workflow")
    assert (context.deployment.id, context.blueprint.id) == ("shop", "the-blueprint")
    assert context.tenant_name == "default_tenant"
    assert context.plugin.name == "h"
    assert made.parameters["context"]["plugin"]["source"] == "h"
    assert made.parameters["context"]["host_id"] == "house_1"


@pytest.mark.parametrize(
    ("end", "here", "there"), [("source", "till_1", "stock_1"), ("target", "stock_1", "till_1")]
)
def test_at_either_end_of_a_relationship_the_other_is_named(shop, end, here, there):
    found = relationship(shop().context(), "till_1", "stock_1")
    made = getattr(found, f"execute_{end}_operation")(ESTABLISH)
    context = made.parameters["context"]
    assert context["node_id"] == here
    assert context["related"] == {
        "node_id": there,
        "node_name": there.removesuffix("_1"),
        "is_target": end == "source",
    }
    assert CloudifyContext(context)._context["operation"]["relationship"] == end


AGENTS = [
    ("configure", {}, {}, "house_1"),  # executor: host_agent
    ("start", {}, {}, "house_1"),  # a script: on the agent, if there is one
    ("create", {}, {}, None),  # executor: central_deployment_agent
    ("configure", {"house_1": "an-agent"}, {}, "an-agent"),
    ("configure", {}, {"house_1": {"cloudify_agent": {"name": "by-hand"}}}, "by-hand"),
]


@pytest.mark.parametrize(("operation", "agents", "properties", "agent"), AGENTS)
def test_an_operation_runs_on_the_agent_of_its_machine_or_on_the_manager(
    shop, operation, agents, properties, agent
):
    ctx = shop(agents=agents, runtime_properties=properties).context()
    made = ctx.get_node_instance("till_1").execute_operation(f"{LIFECYCLE}.{operation}")
    assert made.parameters["agent"] == agent
    assert made.parameters["executor"] == ("agent" if agent else "manager")


def test_without_an_agent_a_script_runs_on_the_manager_and_what_needs_one_is_refused(shop):
    ctx = shop().context()
    ctx.get_node("house").properties = {"agent_config": {"install_method": "none"}}
    till = ctx.get_node_instance("till_1")
    assert till.execute_operation(f"{LIFECYCLE}.start").parameters["executor"] == "manager"
    with pytest.raises(ValueError, match="shall run on an agent, but no agent is installed on house_1"):
        till.execute_operation(f"{LIFECYCLE}.configure")


@pytest.mark.parametrize(
    ("properties", "method"),
    [
        ({"install_agent": False}, "none"),
        ({"install_agent": True, "agent_config": {"install_method": "none"}}, "remote"),
        ({"install_agent": "", "agent_config": {"install_method": "init_script"}}, "init_script"),
        ({"agent_config": {"install_method": None}}, "none"),
        ({}, "none"),
    ],
)
def test_how_an_agent_is_installed_is_read_as_older_and_newer_blueprints_say_it(shop, properties, method):
    node = shop().context().get_node("house")
    node.properties = properties
    assert node.install_method == method


def test_inputs_are_added_and_replace_those_of_the_blueprint_only_when_that_is_allowed(shop):
    till = shop().context().get_node_instance("till_1")
    create = f"{LIFECYCLE}.create"
    assert till.execute_operation(create, {"more": 1}).parameters["kwargs"] == {"size": 3, "more": 1}
    with pytest.raises(ValueError, match="in the blueprint and are given as well: size"):
        till.execute_operation(create, {"size": 5})
    allowed = till.execute_operation(create, {"size": 5}, allow_kwargs_override=True)
    assert allowed.parameters["kwargs"] == {"size": 5}


def test_what_is_not_implemented_does_nothing(shop):
    sign = shop().context().get_node_instance("sign_1")
    assert sign.execute_operation(f"{LIFECYCLE}.create").is_nop()
    assert sign.execute_operation("no.such.operation").is_nop()


def test_what_an_instance_contains_and_where_it_is(shop):
    ctx = shop().context()
    house, till = ctx.get_node_instance("house_1"), ctx.get_node_instance("till_1")
    assert house.get_contained_subgraph() == {house, till}
    assert till.host == house
    assert house.is_host
    assert not till.is_host


def test_log_lines_name_what_they_are_about(shop):
    paper = shop()
    ctx = paper.context()
    ctx.logger.info("%d words", 2)
    ctx.get_node_instance("till_1").logger.warning("of one")
    told = [(line.level, line.message, line.node_instance_id) for line in paper.said]
    assert told == [("info", "2 words", None), ("warning", "of one", "till_1")]


def test_which_workflows_are_ours_and_which_the_blueprints(shop):
    workflows = shop().plan.workflows
    assert not any(is_custom(workflow) for workflow in workflows.values())
    assert builtin.find(workflows["install"]) is builtin.install
    mine = {"plugin": "p", "operation": "flows.deep.run"}
    found = custom(mine, [{"name": "p", "source": "folder"}])
    assert is_custom(mine)
    assert (found.source, found.module, found.function) == ("folder", "flows.deep", "run")


WRONG = [
    (
        {"plugin": "default_workflows", "operation": "cloudify.plugins.workflows.update"},
        "workflows.update leads",
    ),
    ({"plugin": "q", "operation": "a.b"}, "q.a.b leads nowhere: this manager has no plugin q"),
    ({"plugin": "p", "operation": "run"}, "p.run names no function"),
]


@pytest.mark.parametrize(("workflow", "words"), WRONG)
def test_a_mapping_that_leads_nowhere_is_named(workflow, words):
    with pytest.raises(UnknownWorkflow, match=words):
        custom(workflow, [{"name": "p", "source": "p"}]) if is_custom(workflow) else builtin.find(workflow)
