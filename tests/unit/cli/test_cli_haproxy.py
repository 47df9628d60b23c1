"""The configuration of a load balancer, as HAProxy itself understands it."""

from __future__ import annotations

import subprocess

import pytest

from cli.machine.haproxy import Balancer, render

MEMBERS = [{"name": "n1", "address": "10.0.0.1"}, {"name": "n2", "address": "fd00::2"}]
BALANCER = Balancer(":9443", "/front.pem", "/ca.pem", "eye", "a word")
HTTPS = {"members": MEMBERS, "port": 8443, "protocol": "https", "ca_file": "/etc/ca.pem"}
HTTP = {**HTTPS, "protocol": "http"}


def lines(text):
    return [line.strip() for line in text.splitlines()]


def test_every_member_is_a_server_at_its_rest_port():
    found = [line for line in lines(render(HTTPS, BALANCER)) if line.startswith("server ")]
    assert found == ["server n1 10.0.0.1:8443", "server n2 [fd00::2]:8443"]


def test_members_are_verified_by_the_clusters_ca():
    text = lines(render(HTTPS, BALANCER))
    assert "bind :9443 ssl crt /front.pem" in text
    assert "default-server ssl verify required ca-file /ca.pem" in text


def test_plain_http_needs_no_certificates():
    text = render(HTTP, BALANCER)
    assert "bind :9443\n" in text
    assert "ssl" not in text


def test_the_check_says_who_looks():
    assert 'Authorization "Basic ZXllOmEgd29yZA=="' in render(HTTPS, BALANCER)


@pytest.mark.parametrize("password", ['quo"te', "back\\slash", "$dollar", "ümlaut", "x" * 200])
def test_haproxy_takes_it_whatever_the_password_is(tmp_path, password):
    path = tmp_path / "haproxy.cfg"
    path.write_text(render(HTTP, Balancer("127.0.0.1:8443", "", "", "eye", password)))
    checked = subprocess.run(
        ["/usr/sbin/haproxy", "-c", "-f", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert checked.returncode == 0, checked.stderr
