"""The logs of a machine whose services systemd runs, and the bundle for support, without its secrets."""

from __future__ import annotations

import json

from tests.cluster.machines.managers import BIN, PSQL
from tests.support.waiting import eventually

SECRET_FILES = "find /etc/cloudify /var/lib/cloudify/consul/serf -type f ! -name *.pub"
OF_USERS = (
    "SELECT password FROM users UNION SELECT id || '-' || secret FROM tokens UNION SELECT secret FROM tokens"
)
LOG = "/var/log/cloudify/cloudify-cluster.log"
BUNDLE = "/root/bundle.tar.gz"


def secrets_of(node) -> set[str]:
    """The secrets that lie on a machine, found without the help of what masks them."""
    found = set(node.run(*PSQL, "-Atc", OF_USERS, "cloudify").stdout.split())
    for path in node.run(*SECRET_FILES.split()).stdout.split():
        text = node.read(path)
        if "PRIVATE KEY" in text:
            found |= {line for line in text.splitlines() if "-----" not in line}
        elif path.endswith(("password", "keyring")):
            found |= set(text.replace('"', " ").strip("[] \n").split())
    return {secret.strip("[],") for secret in found} - {""}


def test_the_bundle_of_a_member_has_everything_but_its_secrets(managers):
    for node in managers.bed:
        secrets = secrets_of(node)
        assert len(secrets) > 8
        lines = "".join(f"2026-11-23 10:00:00.000 ERROR it was {secret}\n" for secret in secrets)
        node.run("runuser", "-u", "cfyuser", "--", "tee", "-a", LOG, stdin=lines)
        node.run("rm", "-f", BUNDLE)
        told = json.loads(node.run(f"{BIN}/cfy_manager", "--json", "logs", "bundle", "-o", BUNDLE).stdout)
        assert told["missing"] == {}
        content = node.run("tar", "xzOf", BUNDLE).stdout
        assert "it was ***" in content
        assert [secret for secret in secrets if secret in content] == []


def test_what_is_said_is_shown_as_it_comes(managers):
    node = managers.leader()
    node.run(
        "systemd-run", "--unit=follow", "sh", "-c", f"{BIN}/cfy_manager logs -f -n 1 > /root/followed 2>&1"
    )
    try:
        eventually(lambda: node.read("/root/followed"), 60, "the last line is shown")
        node.run("systemctl", "restart", "cloudify-restservice")
        wanted = "Started cloudify-restservice.service"
        eventually(lambda: wanted in node.read("/root/followed"), 60, "what systemd says is shown")
        node.run(
            "runuser", "-u", "cfyuser", "--", "tee", "-a", LOG, stdin="2026-11-23 10:00:00.000 INFO a line\n"
        )
        eventually(lambda: "INFO a line" in node.read("/root/followed"), 60, "what is written is shown")
    finally:
        node.run("systemctl", "stop", "follow")
