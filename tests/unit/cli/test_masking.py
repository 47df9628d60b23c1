"""What is given away has no secrets in it: neither those that the node has, nor what looks like one."""

from __future__ import annotations

import os

import pytest

from cli.machine.masking import Masker, secrets_below, secrets_in

SAFE = Masker()
KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIOkzq1\nAwEHoUQDQgAE\n-----END EC PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("requirepass hunter22x", "hunter22x"),
        ('"encrypt": "c2VjcmV0LWdvc3NpcC1rZXk="', "c2VjcmV0"),
        ("admin_password = 'ab cd'", "ab"),
        (r"{\"token\": \"6f1c-22\"}", "6f1c-22"),
        ("CLOUDIFY_ADMIN_PASSWORD=tXk39pQ", "tXk39pQ"),
        ("password: 12345678901", "12345678901"),
        ("Authorization: Basic YWRtaW46YWRtaW4xMjM=", "YWRtaW46"),
        ("redis://:s3cr3t-pw@10.0.0.1:6379", "s3cr3t-pw"),
        ("https://ann:her-word@host/x", "her-word"),
        ("VALUES ('$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA')", "c2FsdA"),
        (f"token {'a1' * 16}-{'b2' * 32} of ann", "b2b2"),
        (KEY, "MHcCAQEEIOkzq1"),
        (KEY.partition("-----END")[0], "AwEHoUQDQgAE"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, secret):
    masked = SAFE.text(text)
    assert secret not in masked
    assert "***" in masked


@pytest.mark.parametrize(
    "text",
    [
        "min_password_length = 8",
        "password_file = /etc/cloudify/broker-password",
        "tls-key-file /etc/cloudify/cluster-ssl/node.key",
        '"encrypt_verify_incoming": true',
        "2026-11-23 11:56:41.859 INFO    cluster: StartServices: done, broker, mgmtworker",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_none_stays(text):
    assert SAFE.text(text) == text


@pytest.mark.parametrize(
    ("name", "text", "secrets"),
    [
        ("broker-password", "xK7-long-word\n", {"xK7-long-word"}),
        ("admin_password", "pw-of-admin\n", {"pw-of-admin"}),
        ("broker.conf", 'bind 10.0.0.1\nrequirepass xK7\ntls-key-file "/etc/x.key"\n', {"xK7"}),
        ("agent.json", '{"encrypt": "a2V5", "encrypt_verify_incoming": true}', {"a2V5"}),
        ("acl.json", '{"acl": {"tokens": {"agent": "t1", "default": "t2"}, "enabled": true}}', {"t1", "t2"}),
        ("local.keyring", '["a2V5MQ=="]', {"a2V5MQ=="}),
        ("node.key", KEY, {"MHcCAQEEIOkzq1", "AwEHoUQDQgAE"}),
        ("manager.toml", 'host_ip = "10.0.0.1"\n[logins]\nmin_password_length = 8\n', set()),
    ],
)
def test_a_nodes_secrets_are_found_in_its_files(name, text, secrets):
    assert set(secrets_in(name, text)) == secrets


def test_a_known_secret_is_masked_in_every_shape_wherever_it_stands():
    masked = Masker(['p"w & x/y']).text('said p"w & x/y, p%22w%20%26%20x%2Fy and p\\"w & x/y')
    assert masked == "said ***, *** and ***"


def test_of_two_secrets_that_begin_alike_none_is_left_in_part():
    assert Masker(["abcdef", "abcdefghi"]).text("abcdefghi abcdef") == "*** ***"


def test_a_folder_whose_secrets_cannot_be_read_is_no_folder_without_secrets(tmp_path, monkeypatch):
    (tmp_path / "broker-password").write_text("xK7-long-word")
    assert set(secrets_below(tmp_path)) == {"xK7-long-word"}
    assert set(secrets_below(tmp_path / "none")) == set()

    def closed(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(PermissionError):
        list(secrets_below(tmp_path))
