"""The flows of ``cfy cluster``: the requests of the contract, in its order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.cli.scripted import DROP, NOT_LEADER, UNAUTHORIZED, error, items

POLL = "GET /cluster?_include=logs,initialized,error"
IN_CLUSTER = (200, {"initialized": True, "consul": {"leader": "127.94.0.1:8300"}})
ALONE = (200, {"initialized": False})


def node(name, manager, *, master=False, online=True, **more):
    checks = {"consul": online, "services": online, "database": online, "heartbeat": online}
    known = {
        "name": name,
        "host_ip": manager.address,
        "online": online,
        "master": master,
        "initialized": True,
    }
    return {**known, "checks": checks, "options": {}, **more}


def log(cursor, message):
    return {"message": message, "timestamp": 1_700_000_000_000_000 + cursor, "cursor": cursor}


def state(*lines, initialized=False, failure=None):
    return 200, {"initialized": initialized, "error": failure, "logs": list(lines)}


@pytest.fixture
def fresh(cfy, managers):
    """A manager that is in no cluster, and its profile."""
    manager = managers.add({"GET /cluster": [ALONE]})
    cfy.profile(manager, port=managers.port, members=())
    return manager


class TestStart:
    def test_the_contract_s_requests_and_the_progress(self, cfy, fresh):
        first, second = log(1, "Making certificates"), log(2, "Starting Consul")
        polls = [state(first), state(second), state(initialized=True)]
        fresh.table = {
            "GET /cluster": [ALONE, *polls],
            "PUT /cluster": state(),
            "GET /cluster/nodes": [NOT_LEADER, items(node("n1", fresh, master=True))],
        }
        result = cfy("cluster", "start", "--cluster-node-name", "n1", "--options", "minority_mode=offline")
        assert result.exit_code == 0, result.stderr
        assert "n1 leads it" in result.stdout
        assert result.stderr.index("Making certificates") < result.stderr.index("Starting Consul")
        assert fresh.requests()[:5] == [
            "GET /cluster",
            "PUT /cluster",
            POLL,
            f"{POLL}&since=1",
            f"{POLL}&since=2",
        ]
        body = {"host_ip": fresh.address, "node_name": "n1", "options": {"minority_mode": "offline"}}
        assert fresh.seen[1].body == body
        profile = cfy.store.get()
        assert [member.name for member in profile.members] == ["n1"]
        assert profile.leader == fresh.address

    def test_the_name_is_generated(self, cfy, fresh):
        fresh.table |= {
            "GET /cluster": [ALONE, state(initialized=True)],
            "PUT /cluster": state(),
            "GET /cluster/nodes": items(node("x", fresh, master=True)),
        }
        name = cfy.json("cluster", "start")["node_name"]
        assert name.startswith("cloudify_manager_")
        assert len(name) == len("cloudify_manager_XXXXXX")

    def test_a_second_start(self, cfy, fresh):
        fresh.table["GET /cluster"] = IN_CLUSTER
        result = cfy("cluster", "start")
        assert result.exit_code == 1
        assert "already belongs to a cluster" in result.stderr
        assert fresh.requests() == ["GET /cluster"]

    def test_a_replica_is_in_a_cluster_too(self, cfy, fresh):
        fresh.table["GET /cluster"] = NOT_LEADER
        result = cfy("cluster", "start")
        assert result.exit_code == 1
        assert "already belongs to a cluster" in result.stderr

    def test_a_failure_on_the_manager(self, cfy, fresh):
        fresh.table |= {
            "GET /cluster": [ALONE, state(log(1, "Trying")), state(failure="Port 8300 is taken")],
            "PUT /cluster": state(),
        }
        result = cfy("cluster", "start")
        assert result.exit_code == 1
        assert "Port 8300 is taken" in result.stderr

    def test_a_pause_of_the_rest_service_is_borne(self, cfy, fresh):
        fresh.table |= {
            "GET /cluster": [ALONE, DROP, NOT_LEADER, error(503, "x", "starting"), state(initialized=True)],
            "PUT /cluster": state(),
            "GET /cluster/nodes": items(node("n1", fresh, master=True)),
        }
        assert cfy("cluster", "start").exit_code == 0

    def test_a_start_that_takes_too_long(self, cfy, fresh):
        fresh.table |= {"PUT /cluster": state()}
        result = cfy("cluster", "start", "--timeout", "0.05")
        assert result.exit_code == 5
        assert "the cluster has not started" in result.stderr

    def test_refused_options(self, cfy, fresh):
        fresh.table["PUT /cluster"] = error(400, "bad_parameters_error", "There is no node option 'colour'.")
        result = cfy("cluster", "start", "-o", "colour=red;check_fail_fast=false")
        assert result.exit_code == 1
        assert "no node option 'colour'" in result.stderr
        assert fresh.seen[1].body["options"] == {"colour": "red", "check_fail_fast": "false"}

    @pytest.mark.parametrize(
        ("args", "complaint"),
        [
            (["--cluster-host-ip", "manager.example"], "not an IP address"),
            (["--options", "check_fail_fast"], "NAME=VALUE"),
            (["--timeout", "0"], "not in the range"),
        ],
    )
    def test_a_command_line_that_is_wrong(self, cfy, fresh, args, complaint):
        result = cfy("cluster", "start", *args)
        assert result.exit_code == 2
        assert complaint in result.stderr
        assert not fresh.seen

    def test_a_profile_with_a_hostname_needs_the_host_ip(self, cfy, fresh):
        cfy.store.save(replace(cfy.store.get(), address="localhost"))
        result = cfy("cluster", "start")
        assert result.exit_code == 1
        assert "--cluster-host-ip" in result.stderr


@pytest.fixture
def leading(managers):
    """A manager that leads a cluster of its own."""
    manager = managers.add({"GET /cluster": IN_CLUSTER})
    manager.table["GET /cluster/nodes"] = items(node("n1", manager, master=True))
    return manager


class TestJoin:
    @pytest.fixture
    def joining(self, fresh, leading):
        invitation = node("n2", fresh, credentials={"key": "opaque"}, required={"version": "1"})
        alone, joined = items(node("n1", leading, master=True)), node("n2", fresh)
        offline = items(node("n1", leading, master=True), {**joined, "online": False})
        leading.table |= {
            "GET /cluster/nodes": [alone, offline, items(node("n1", leading, master=True), joined)],
            "PUT /cluster/nodes/n2": (200, invitation),
        }
        fresh.table |= {
            "GET /cluster": [ALONE, state(log(7, "Copying")), NOT_LEADER],
            "PUT /cluster": state(),
        }
        return fresh

    def join(self, cfy, leading):
        return cfy(
            "cluster", "join", leading.address, "--cluster-node-name", "n2", "-o", "heal_policy=majority"
        )

    def test_the_contract_s_requests(self, cfy, joining, leading):
        result = self.join(cfy, leading)
        assert result.exit_code == 0, result.stderr
        assert "n2 is a replica" in result.stdout
        assert "Copying" in result.stderr
        assert joining.requests() == ["GET /cluster", "PUT /cluster", POLL, f"{POLL}&since=7"]
        nodes = "GET /cluster/nodes"
        assert leading.requests() == [nodes, "PUT /cluster/nodes/n2", nodes, nodes]
        assert leading.seen[1].body == {"host_ip": joining.address, "node_name": "n2"}
        assert joining.seen[1].body == {
            "host_ip": joining.address,
            "node_name": "n2",
            "credentials": {"key": "opaque"},
            "required": {"version": "1"},
            "join_addrs": [leading.address],
            "options": {"heal_policy": "majority"},
        }
        assert "opaque" not in result.output

    def test_the_profile_knows_all_members_afterwards(self, cfy, joining, leading):
        self.join(cfy, leading)
        profile = cfy.store.get()
        assert [member.name for member in profile.members] == ["n1", "n2"]
        assert profile.leader == leading.address
        assert profile.address == joining.address

    def test_by_a_profile_whose_user_the_joined_manager_gets(self, cfy, managers, joining, leading):
        cfy.profile(leading, port=managers.port, name="prod", username="root", password="theirs", members=())
        cfy.store.use("here")
        result = cfy("cluster", "join", "prod", "--cluster-node-name", "n2")
        assert result.exit_code == 0, result.stderr
        here, prod = cfy.store.get("here"), cfy.store.get("prod")
        assert (here.username, here.password, here.name) == ("root", "theirs", "here")
        assert here.members == prod.members
        assert len(prod.members) == 2

    def test_a_profile_is_found_by_its_address(self, cfy, managers, joining, leading):
        cfy.profile(leading, port=managers.port, name="prod", username="root", members=())
        cfy.store.use("here")
        self.join(cfy, leading)
        assert cfy.store.get("here").username == "root"

    def test_a_manager_that_has_the_cluster_s_users_already(self, cfy, joining, leading):
        joining.table["GET /cluster"] = [ALONE, state(), UNAUTHORIZED]
        assert self.join(cfy, leading).exit_code == 0

    def test_a_failure_on_the_joining_manager(self, cfy, joining, leading):
        joining.table["GET /cluster"] = [ALONE, state(failure="This manager is not empty: 2 blueprints")]
        result = self.join(cfy, leading)
        assert result.exit_code == 1
        assert "not empty: 2 blueprints" in result.stderr
        assert not cfy.store.get("here").members

    def test_a_taken_name(self, cfy, joining, leading):
        leading.table["PUT /cluster/nodes/n2"] = error(409, "conflict_error", "The name n2 is taken")
        result = self.join(cfy, leading)
        assert result.exit_code == 1
        assert "n2 is taken" in result.stderr
        assert joining.requests() == ["GET /cluster"]

    def test_a_manager_that_is_in_a_cluster(self, cfy, joining, leading):
        joining.table["GET /cluster"] = NOT_LEADER
        result = self.join(cfy, leading)
        assert result.exit_code == 1
        assert "already belongs to a cluster" in result.stderr
        assert not leading.seen

    def test_a_leader_without_a_cluster(self, cfy, joining, leading):
        leading.table["GET /cluster/nodes"] = error(404, "not_found_error", "no cluster")
        result = self.join(cfy, leading)
        assert result.exit_code == 1
        assert "is not in a cluster" in result.stderr

    def test_an_unreachable_leader(self, cfy, joining):
        result = cfy("cluster", "join", "127.94.255.254")
        assert result.exit_code == 3
        assert "127.94.255.254" in result.stderr
        assert joining.requests() == ["GET /cluster"]

    def test_a_wrong_password_for_the_leader(self, cfy, joining, leading):
        leading.table = {"*": UNAUTHORIZED}
        assert self.join(cfy, leading).exit_code == 4

    def test_itself(self, cfy, joining):
        result = cfy("cluster", "join", joining.address)
        assert result.exit_code == 1
        assert "cannot join itself" in result.stderr

    def test_a_node_that_never_comes_online(self, cfy, joining, leading):
        leading.table["GET /cluster/nodes"] = items(node("n1", leading, master=True))
        result = cfy("cluster", "join", leading.address, "--cluster-node-name", "n2", "--timeout", "0.1")
        assert result.exit_code == 5
        assert "is not online" in result.stderr


@pytest.fixture
def pair(cfy, managers, leading):
    """A leader and a replica, and a profile that knows both."""
    replica = managers.add({"*": NOT_LEADER})
    leading.table["GET /cluster/nodes"] = items(
        node("n1", leading, master=True), node("n2", replica, credentials="no", online=False)
    )
    cfy.profile(leading, replica, port=managers.port)
    return leading, replica


class TestNodes:
    def test_list(self, cfy, pair):
        leader, _ = pair
        result = cfy("cluster", "nodes", "list")
        head, first, second = result.stdout.splitlines()
        assert head.split() == ["name", "host_ip", "state", "database", "services", "consul", "heartbeat"]
        assert first.split() == ["n1", leader.address, "leader", "ok", "ok", "ok", "ok"]
        assert second.split()[2:] == ["offline", *["FAILED"] * 4]
        assert leader.requests() == ["GET /cluster", "GET /cluster/nodes"]

    def test_list_as_json_without_secrets(self, cfy, pair):
        nodes = cfy.json("cluster", "nodes", "list")
        assert [it["state"] for it in nodes] == ["leader", "offline"]
        assert "credentials" not in nodes[1]

    def test_list_without_a_cluster(self, cfy, fresh):
        result = cfy("cluster", "nodes", "list")
        assert result.exit_code == 1
        assert "not in a cluster" in result.stderr

    def test_list_refreshes_the_profile(self, cfy, pair):
        cfy.store.update("here", lambda profile: replace(profile, members=()))
        cfy("cluster", "nodes", "list")
        assert len(cfy.store.get().members) == 2

    def test_get(self, cfy, pair):
        leader, _ = pair
        leader.table["GET /cluster/nodes/n1"] = (
            200,
            node("n1", leader, master=True, options={"sync_mode": "async"}),
        )
        result = cfy("cluster", "nodes", "get", "n1")
        assert "leader" in result.stdout
        assert "async" in result.stdout

    def test_update(self, cfy, pair):
        leader, _ = pair
        leader.table["PATCH /cluster/nodes/n2"] = (200, node("n2", leader))
        assert cfy("cluster", "nodes", "update", "n2", "-o", "sync_mode=async").exit_code == 0
        assert leader.seen[-1].body == {"sync_mode": "async"}
        assert cfy("cluster", "nodes", "update", "n2").exit_code == 2

    def test_remove(self, cfy, pair):
        leader, replica = pair
        both, one = leader.table["GET /cluster/nodes"], items(node("n1", leader, master=True))
        leader.table["DELETE /cluster/nodes/n2"] = (200, node("n2", replica))
        leader.table["GET /cluster/nodes"] = [both, both, one]
        assert cfy("cluster", "nodes", "remove", "n2").exit_code == 0
        nodes = "GET /cluster/nodes"
        assert leader.requests() == ["GET /cluster", nodes, "DELETE /cluster/nodes/n2", nodes, nodes]
        assert [member.name for member in cfy.store.get().members] == ["n1"]

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (error(404, "not_found_error", "no such node"), "n1, n2"),
            (error(409, "conflict_error", "n1 leads; switch over first"), "switch over first"),
        ],
    )
    def test_a_refused_removal(self, cfy, pair, answer, said):
        pair[0].table["DELETE /cluster/nodes/n9"] = answer
        result = cfy("cluster", "nodes", "remove", "n9")
        assert result.exit_code == 1
        assert said in result.stderr
        assert len(cfy.store.get().members) == 2


class TestSetActive:
    def test_it_waits_until_the_node_leads(self, cfy, pair):
        old, new = pair
        before = items(node("n1", old, master=True), node("n2", new))
        after = items(node("n1", old), node("n2", new, master=True))
        old.table |= {
            "GET /cluster/nodes": [before, before, NOT_LEADER],
            "PATCH /cluster": IN_CLUSTER,
        }
        new.table = {"GET /cluster/nodes": [NOT_LEADER, after]}
        told = cfy.json("cluster", "set-active", "n2")
        assert told["master"] == "n2"
        assert 0 < told["took_s"] < 5
        assert old.seen[2].body == {"master": "n2"}
        assert cfy.store.get().leader == new.address

    def test_the_leader_changes_before_it_can_answer(self, cfy, pair):
        old, new = pair
        old.table |= {
            "GET /cluster": [IN_CLUSTER, NOT_LEADER],
            "GET /cluster/nodes": [items(node("n1", old, master=True), node("n2", new)), NOT_LEADER],
            "PATCH /cluster": DROP,
        }
        new.table = {
            "PATCH /cluster": error(400, "illegal_action_error", "n2 is the leader already"),
            "GET /cluster/nodes": items(node("n1", old), node("n2", new, master=True)),
        }
        assert cfy("cluster", "set-active", "n2").exit_code == 0

    def test_nobody_can_answer_while_the_leader_changes(self, cfy, pair):
        old, new = pair
        after = items(node("n1", old), node("n2", new, master=True))
        old.table |= {
            "GET /cluster/nodes": [items(node("n1", old, master=True), node("n2", new)), NOT_LEADER],
            "PATCH /cluster": DROP,
        }
        new.table = {"PATCH /cluster": NOT_LEADER, "GET /cluster/nodes": [NOT_LEADER, after]}
        assert cfy("cluster", "set-active", "n2").exit_code == 0

    def test_a_refusal(self, cfy, pair):
        pair[0].table["PATCH /cluster"] = error(400, "illegal_action_error", "n2 is offline")
        result = cfy("cluster", "set-active", "n2")
        assert result.exit_code == 1
        assert "n2 is offline" in result.stderr
        assert "n1 (leader), n2 (offline)" in result.stderr

    def test_a_switchover_that_does_not_happen(self, cfy, pair):
        pair[0].table["PATCH /cluster"] = IN_CLUSTER
        result = cfy("cluster", "set-active", "n2", "--timeout", "0.05")
        assert result.exit_code == 5
        assert "n2 does not lead" in result.stderr


class TestTheRest:
    def test_status(self, cfy, pair):
        result = cfy("cluster", "status")
        assert "n1" in result.stdout
        assert "offline" in result.stdout
        assert cfy.json("cluster", "status")["nodes"][0]["name"] == "n1"

    def test_status_without_a_cluster_is_no_error(self, cfy, fresh):
        assert cfy.json("cluster", "status") == {"initialized": False}

    def test_update_profile(self, cfy, pair):
        cfy.store.update("here", lambda profile: replace(profile, members=()))
        assert cfy("cluster", "update-profile").exit_code == 0
        assert len(cfy.store.get().members) == 2

    @pytest.mark.parametrize(("command", "paused"), [("pause", True), ("resume", False)])
    def test_pause_and_resume(self, cfy, pair, command, paused):
        pair[0].table["PATCH /cluster"] = IN_CLUSTER
        assert cfy("cluster", command).exit_code == 0
        assert pair[0].seen[-1].body == {"paused": paused}

    def test_history(self, cfy, pair):
        happened = {
            "at": 1_700_000_000.5,
            "term": 3,
            "node": "n2",
            "summary": "took the lease",
            "duration_s": 0.25,
        }
        entries = [
            {**happened, "number": 2},
            {**happened, "number": 1, "summary": "died", "duration_s": None},
        ]
        pagination = {"total": 900, "offset": 0, "size": 2}
        page = 200, {"items": entries, "metadata": {"pagination": pagination}}
        pair[0].table["GET /cluster/history"] = page
        lines = cfy("cluster", "history", "--last", "5").stdout.splitlines()
        assert "died" in lines[1]
        assert "0.25" in lines[2]
        assert pair[0].requests() == ["GET /cluster/history?_size=5&_sort=-number"]

    def test_plan(self, cfy, pair):
        plan = {"name": "n1", "situation": "LEADING", "plan": ["Keep the sync record"]}
        pair[0].table["GET /cluster/plan"] = (200, plan)
        assert "Keep the sync record" in cfy("cluster", "plan").stdout
        assert pair[0].requests()[1:] == ["GET /cluster/plan?node=n1", "GET /cluster/plan?node=n2"]
        assert cfy.json("cluster", "plan", "n1") == [plan]
