"""The Vagrantfile names the same machines for each provider, and tells the scripts all that they need."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

LOADER = Path(__file__).with_name("as_vagrant.rb")
PROJECT = Path(__file__).parents[3]
VAGRANTFILE = PROJECT / "vagrant" / "Vagrantfile"
PROVIDERS = ["virtualbox", "libvirt", "lxc"]
STEPS = ["packages", "program", "manager", "cluster"]


def machines(provider, **variables):
    done = subprocess.run(
        ["ruby", LOADER, provider, VAGRANTFILE],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def addresses(provider, found):
    if provider == "lxc":
        return [each["own"]["net.1.ipv4.address"].removesuffix("/24") for each in found.values()]
    return [address for each in found.values() for _, address in each["networks"]]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_there_are_three_machines_on_a_private_network(provider):
    found = machines(provider)
    assert list(found) == [each["hostname"] for each in found.values()] == ["n1", "n2", "n3"]
    assert addresses(provider, found) == ["192.168.56.11", "192.168.56.12", "192.168.56.13"]
    assert [each["says"] is not None for each in found.values()] == [False, False, True]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_machine_is_told_who_it_is_and_who_the_others_are(provider):
    for name, each in machines(provider).items():
        assert [step["name"] for step in each["steps"]] == STEPS
        for step in each["steps"]:
            assert step["env"] == {
                "SOURCE": "/src",
                "WHEELS": "",
                "CLUSTER": "n1=192.168.56.11 n2=192.168.56.12 n3=192.168.56.13",
                "CLOUDIFY_ADMIN_PASSWORD": "vagrant",
                "NODE_NAME": name,
                "NODE_ADDRESS": f"192.168.56.1{name[-1]}",
                "MEMBER_NAME": name,
            }


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_box_and_a_size_are_settings(provider):
    [usual, *_] = machines(provider).values()
    settings = {f"BOX_{provider.upper()}": "mine", "NODES": "5", "PREFIX": "10.9.8", "MEMBER_SUFFIX": "b"}
    found = machines(provider, **settings)
    assert usual["box"]
    assert {each["box"] for each in found.values()} == {"mine"}
    assert addresses(provider, found) == [f"10.9.8.{number}" for number in range(11, 16)]
    assert found["n5"]["steps"][-1]["env"]["MEMBER_NAME"] == "n5b"


@pytest.mark.parametrize("step", STEPS)
def test_a_script_says_what_it_was_not_told(step):
    script = VAGRANTFILE.parent / "provision" / f"{step}.sh"
    done = subprocess.run(
        ["sh", script],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert re.search(r"[A-Z_]+: name ", done.stderr)
