"""The pages about the configuration say what the code takes."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.config import NodeConfig, Timing
from orchestrator.model.spec import OPTION_TYPES
from scripts.write_configuration import MEANINGS, OPTION_MEANINGS, PAGE, page, settings

TUNING = (Path(PAGE).parents[1] / "tuning.md").read_text()


def test_every_setting_and_every_option_is_explained():
    assert set(MEANINGS) == set(settings())
    assert set(OPTION_MEANINGS) == set(OPTION_TYPES)


def test_the_page_is_current():
    assert PAGE.read_text() == page(), "run python -m scripts.write_configuration"


def test_tuning_has_every_timing():
    assert [name for name in Timing.model_fields if name not in TUNING] == []


def test_the_defaults_in_tuning_are_those_of_the_code():
    config = NodeConfig()
    written = re.findall(r"^\| `(?:rest\.)?(\w+_s)` \| ([\d.]+) \|", TUNING, re.MULTILINE)
    written += re.findall(r"`(?:postgres\.)?(\w+_s)` \(([\d.]+)\)", TUNING)
    actual = config.timing.model_dump() | config.rest.model_dump() | config.postgres.model_dump()
    assert len(written) > len(Timing.model_fields) // 2
    assert [(name, value) for name, value in written if actual[name] != float(value)] == []
