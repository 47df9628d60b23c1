"""Profiles: what they hold, who may read them, and how they come about."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from cli import session as sessions
from cli.errors import CliError
from cli.profile import Member, Profile
from tests.unit.cli.scripted import FORBIDDEN, NOT_LEADER, UNAUTHORIZED, items

ALONE = {
    "GET /status": (200, {"status": "running", "services": []}),
    "GET /provider/context": (200, {"name": "provider", "context": {}}),
    "GET /cluster": (200, {"initialized": False}),
}


@pytest.fixture
def manager(managers):
    return managers.add(dict(ALONE))


@pytest.fixture
def use(cfy, managers, manager, monkeypatch):
    """Uses the manager as a user would, with the password in the environment."""
    monkeypatch.setenv("CFY_PASSWORD", "secret")

    def run(*args):
        return cfy(
            "profiles",
            "use",
            manager.address,
            "--rest-protocol",
            "http",
            "--rest-port",
            str(managers.port),
            *args,
        )

    return run


class TestUse:
    def test_the_contract_s_requests(self, cfy, use, manager):
        result = use()
        assert result.exit_code == 0, result.stderr
        assert manager.requests() == ["GET /status", "GET /provider/context", "GET /cluster"]
        assert manager.address in result.stdout

    def test_whoever_may_not_see_the_cluster_can_use_it(self, cfy, use, manager):
        manager.table["GET /cluster"] = FORBIDDEN
        result = use("--username", "joe")
        assert result.exit_code == 0, result.stderr
        assert "Only administrators" in result.stderr
        assert cfy.store.get(manager.address).members == ()

    def test_what_to_do_is_said_in_the_words_of_this_command(self, use, manager):
        manager.table["GET /status"] = UNAUTHORIZED
        result = use()
        assert result.exit_code == 4
        assert "--username NAME, --password" in result.stderr
        assert "profiles set" not in result.stderr

    def test_the_profile_is_its_owner_s_only(self, cfy, use, manager):
        use()
        file = cfy.store.folder / f"{manager.address}.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(cfy.store.home.stat().st_mode) == 0o700
        assert json.loads(file.read_text())["password"] == "secret"

    def test_the_members_of_a_cluster_come_along(self, cfy, use, manager):
        leader = {"name": "n1", "host_ip": manager.address, "online": True, "master": True}
        other = {"name": "n2", "host_ip": "127.94.255.2", "public_ip": "127.94.254.2"}
        manager.table |= {
            "GET /cluster": (200, {"initialized": True}),
            "GET /cluster/nodes": items(leader, other),
        }
        assert "n1, n2" in use().stdout
        profile = cfy.store.get()
        assert profile.leader == manager.address
        assert profile.addresses() == (manager.address, "127.94.254.2")

    @pytest.mark.parametrize(("answer", "exit_code"), [(UNAUTHORIZED, 4), (NOT_LEADER, 3)])
    def test_nothing_is_stored_when_the_manager_refuses(self, cfy, use, manager, answer, exit_code):
        manager.table["GET /status"] = answer
        assert use().exit_code == exit_code
        assert not cfy.store.names()
        assert cfy.store.current_name() is None

    def test_a_replica_alone_is_of_no_use(self, use, manager):
        manager.table["GET /status"] = NOT_LEADER
        assert "another member" in use().stderr

    def test_no_check(self, cfy):
        result = cfy("profiles", "use", "127.94.255.254", "--no-check", "--profile-name", "later")
        assert result.exit_code == 0
        assert cfy.store.get().address == "127.94.255.254"

    def test_a_name_that_is_no_file_s(self, cfy):
        result = cfy("profiles", "use", "127.94.255.254", "--no-check", "--profile-name", "../evil")
        assert result.exit_code == 1
        assert "cannot be a profile's name" in result.stderr

    def test_an_existing_profile_keeps_its_settings(self, cfy, use, manager):
        use("--username", "ann", "--profile-name", "prod")
        cfy("profiles", "use", "127.94.255.254", "--no-check")
        assert cfy("profiles", "use", "prod").exit_code == 0
        assert cfy.store.get().username == "ann"


class TestPasswords:
    @pytest.fixture
    def terminal(self, monkeypatch):
        """Somebody is there to type."""
        typed = []
        monkeypatch.setattr(sessions, "ask_password", lambda prompt, **_: typed.append(prompt) or "typed")
        return typed

    def test_a_missing_one_is_asked_for(self, cfy, managers, manager, terminal):
        cfy.profile(manager, port=managers.port, password=None)
        cfy("status")
        assert manager.address in terminal[0]
        assert manager.seen[0].headers["Authorization"] == "Basic YWRtaW46dHlwZWQ="

    def test_nobody_to_ask(self, cfy, managers, manager):
        cfy.profile(manager, port=managers.port, password=None)
        result = cfy("status")
        assert result.exit_code == 4
        assert "CFY_PASSWORD" in result.stderr
        assert not manager.seen

    def test_the_environment_wins(self, cfy, managers, manager, monkeypatch):
        cfy.profile(manager, port=managers.port)
        monkeypatch.setenv("CFY_PASSWORD", "other")
        cfy("status")
        assert manager.seen[0].headers["Authorization"] == "Basic YWRtaW46b3RoZXI="

    def test_an_option_without_a_value_is_a_question(self, cfy, managers, manager):
        cfy.profile(manager, port=managers.port, token="t")
        result = cfy("profiles", "set", "--password", stdin="typed\n")
        assert result.exit_code == 0
        assert "typed" not in result.output
        assert (cfy.store.get().password, cfy.store.get().token) == ("typed", None)

    def test_one_s_own_new_password_goes_into_the_profile(self, cfy, managers, manager):
        manager.table["POST /users/admin"] = (200, {"username": "admin"})
        cfy.profile(manager, port=managers.port)
        assert cfy("users", "set-password", "admin", "-p", "new").exit_code == 0
        assert manager.seen[0].body == {"password": "new"}
        assert cfy.store.get().password == "new"


class TestOthers:
    def test_set(self, cfy, managers, manager, tmp_path):
        cfy.profile(manager, port=80)
        ca_file = tmp_path / "ca.pem"
        ca_file.write_text("")
        arguments = ["-t", "t1", "--ssl-ca-file", str(ca_file), "--rest-protocol", "https", "--ssl-trust-all"]
        assert cfy("profiles", "set", *arguments).exit_code == 0
        profile = cfy.store.get()
        assert (profile.tenant, profile.ca_file, profile.trust_all) == ("t1", str(ca_file), True)
        assert profile.port == 443
        cfy("profiles", "set", "--ssl-verify")
        assert not cfy.store.get().trust_all

    def test_set_nothing(self, cfy, managers, manager):
        cfy.profile(manager, port=managers.port)
        assert cfy("profiles", "set").exit_code == 2

    def test_list_and_show_have_no_secrets(self, cfy, managers, manager):
        cfy.profile(manager, port=managers.port, token="very-private")
        for command in (("profiles", "list"), ("profiles", "show-current")):
            for output in (cfy(*command).output, cfy(*command, "--json").output):
                assert manager.address in output
                assert "very-private" not in output
                assert "secret" not in output
        assert cfy.json("profiles", "list")[0]["current"] is True

    def test_delete(self, cfy, managers, manager):
        cfy.profile(manager, port=managers.port)
        assert cfy("profiles", "delete", "here").exit_code == 0
        result = cfy("status")
        assert result.exit_code == 2
        assert "cfy profiles use" in result.stderr
        assert cfy("profiles", "delete", "here").exit_code == 2

    def test_another_profile_for_one_call(self, cfy, managers, manager):
        cfy.profile(manager, port=managers.port, name="one")
        cfy.profile(manager, port=1, name="two")
        manager.table["GET /maintenance"] = (200, {"status": "deactivated"})
        assert cfy("--profile", "one", "status").exit_code == 0
        result = cfy("--profile", "three", "status")
        assert result.exit_code == 2
        assert "one, two" in result.stderr

    def test_a_damaged_file(self, cfy, managers, manager):
        cfy.profile(manager, port=managers.port)
        (cfy.store.folder / "here.json").write_text("{")
        result = cfy("status")
        assert result.exit_code == 1
        assert "is damaged" in result.stderr


class TestStore:
    def test_members_and_all_survive_the_disk(self, cfy):
        profile = Profile("p", "127.94.0.1", members=(Member("n1", "127.94.0.1"),), leader="127.94.0.1")
        cfy.store.save(profile)
        assert cfy.store.find("p") == profile

    def test_what_a_newer_version_wrote_is_ignored(self, cfy):
        cfy.store.save(Profile("p", "127.94.0.1"))
        file = cfy.store.folder / "p.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"colour": "red"}))
        assert cfy.store.find("p") == Profile("p", "127.94.0.1")

    def test_a_write_that_fails_leaves_the_old_file(self, cfy, monkeypatch):
        cfy.store.save(Profile("p", "127.94.0.1"))
        monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            cfy.store.save(Profile("p", "127.94.0.2"))
        assert cfy.store.find("p") == Profile("p", "127.94.0.1")
        assert [path.name for path in cfy.store.folder.iterdir()] == ["p.json"]

    def test_a_deleted_profile_is_not_brought_back(self, cfy):
        cfy.store.update("gone", lambda profile: profile)
        assert cfy.store.find("gone") is None

    def test_no_name_leads_out_of_the_folder(self, cfy):
        assert cfy.store.find("../current") is None
        with pytest.raises(CliError):
            cfy.store.save(Profile("a/b", "127.94.0.1"))
