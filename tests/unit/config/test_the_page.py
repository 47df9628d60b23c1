"""The page about the configuration says what the code takes."""

from __future__ import annotations

from orchestrator.model.spec import OPTION_TYPES
from scripts.write_configuration import MEANINGS, OPTION_MEANINGS, PAGE, page, settings


def test_every_setting_and_every_option_is_explained():
    assert set(MEANINGS) == set(settings())
    assert set(OPTION_MEANINGS) == set(OPTION_TYPES)


def test_the_page_is_current():
    assert PAGE.read_text() == page(), "run python -m scripts.write_configuration"
