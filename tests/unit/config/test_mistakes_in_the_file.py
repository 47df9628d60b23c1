"""A mistake in a configuration file is told with the file, the key, and what is allowed."""

from __future__ import annotations

import pytest

from orchestrator import config
from orchestrator.config import ConfigurationError


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('host_ip = "manager1"', "host_ip: 'manager1' is not an IP address"),
        ('[rest]\nprotcol = "http"', "rest.protcol: there is no such setting; allowed here: election_hold_s"),
        ('colour = "red"', "colour: there is no such setting; allowed here: "),
        ('[rest]\nprotocol = "ftp"', "rest.protocol: Input should be 'https' or 'http'"),
        ('[ports]\nrest = "many"', "ports.rest: Input should be a valid integer"),
        ("host_ip = ", "is not valid TOML"),
    ],
)
def test_it_says_what_would_be_right(tmp_path, written, told):
    file = tmp_path / "manager.toml"
    file.write_text(written)
    with pytest.raises(ConfigurationError) as error:
        config.load(file)
    assert str(error.value).startswith(f"{file}: {told}")


def test_all_mistakes_are_told_at_once(tmp_path):
    file = tmp_path / "manager.toml"
    file.write_text('host_ip = "manager1"\ncolour = "red"')
    with pytest.raises(ConfigurationError) as error:
        config.load(file)
    assert len(str(error.value).splitlines()) == 2
