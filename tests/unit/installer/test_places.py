"""The pages about ports and files say what the tables say, and the tables know every port."""

from __future__ import annotations

from installer.places import PLACES, PORTS
from orchestrator.config import Ports
from scripts.write_places import FOLDERS, PAGES


def test_the_pages_are_up_to_date():
    for path, page in PAGES.items():
        assert path.read_text() == page(), "run python -m scripts.write_places"


def test_every_port_is_there_once():
    assert sorted(port.name for port in PORTS) == sorted(Ports.model_fields)


def test_every_place_is_in_a_folder_that_the_page_shows():
    assert {place.folder for place in PLACES} == set(FOLDERS)
