"""What a blueprint may import: files of its own archive, the usual types, and what lies on the web.

The usual types are ours (``types.yaml``, beside this file), by whatever address they are asked for:
blueprints name those of the version that they were written for, and no manager needs the web for that.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

from dsl_parser.exceptions import DSLParsingLogicException
from dsl_parser.import_resolver.abstract_import_resolver import AbstractImportResolver

from manager import fetching

MEGABYTE = 1024 * 1024
MAX_IMPORT_BYTES = 4 * MEGABYTE
MAX_REMOTE_IMPORTS = 50
IMPORT_TIMEOUT_S = 20.0
IMPORT_FAILED = 13
"""The parser's own number for this."""

TYPES = re.compile(
    r"(https?://(www\.)?(getcloudify\.org|cloudify\.co)/spec/cloudify/[^/]+"
    r"|https://raw\.githubusercontent\.com/cloudify-cosmo/cloudify-manager/[^?#]+/cloudify/types"
    r"|resource:/?cloudify/types)/types(_\d_\d)?\.yaml"
)
TYPES_FILE = Path(__file__).with_name("types.yaml")
DATA_TYPES_FILE = Path(__file__).with_name("data_types.yaml")
WITHOUT_DATA_TYPES = ("1_0", "1_1")
"""Versions of the language in which there are none."""

NEWER_FIELDS = ("type", "max_retries")
"""What stands commented out in the types, for those versions."""

RESOURCES = {
    "plugin:": "This manager has no plugins to import: put the plugin's YAML file into the archive.",
    "blueprint:": "Blueprints cannot import other blueprints here: put their files into the archive.",
}


def is_inside(path: Path, folder: Path) -> bool:
    """Whether ``path``, with all links followed, lies in ``folder``, which has none."""
    return path.resolve().is_relative_to(folder)


class Imports(AbstractImportResolver):  # type: ignore[misc]  # the parser comes without types
    """Reads imports for the parser, which tries one address after the other until one is there."""

    def __init__(self, folder: Path, may_reach: fetching.MayReach = fetching.is_reachable_for_users) -> None:
        self._folder = folder
        self._may_reach = may_reach
        self._fetched = 0

    def fetch_import(self, import_url: str, dsl_version: str | None = None, **_: Any) -> str:
        """The text. Raises ``DSLParsingLogicException``."""
        if TYPES.fullmatch(import_url):
            return _usual_types(dsl_version)
        if import_url.startswith("file:"):
            return self._from_archive(import_url.removeprefix("file:"))
        if import_url.startswith(fetching.SCHEMES):
            return self._from_web(import_url)
        scheme, name = import_url.split(":", 1)
        raise _failed(RESOURCES.get(f"{scheme}:", f"'{name}' is not in the archive"))

    def resolve(self, import_url: str) -> str:
        """As ``fetch_import``."""
        return self.fetch_import(import_url)

    def retrieve_plugin(self, import_url: str, **_: Any) -> None:
        """There are no plugins to refer to."""

    def _from_archive(self, url: str) -> str:
        path = Path(url2pathname(url))
        if not is_inside(path, self._folder) or not path.is_file():
            raise _failed(f"'{url}' is not in the archive")
        if path.stat().st_size > MAX_IMPORT_BYTES:
            raise _failed(f"'{path.name}' is longer than {MAX_IMPORT_BYTES} bytes")
        return path.read_text(encoding="utf-8")

    def _from_web(self, url: str) -> str:
        self._fetched += 1
        if self._fetched > MAX_REMOTE_IMPORTS:
            raise _failed(f"there are more than {MAX_REMOTE_IMPORTS} addresses to import from")
        try:
            content = b"".join(
                fetching.pieces(
                    url,
                    max_bytes=MAX_IMPORT_BYTES,
                    timeout_s=IMPORT_TIMEOUT_S,
                    may_reach=self._may_reach,
                )
            )
        except fetching.FetchError as error:
            raise _failed(str(error)) from error
        return content.decode()


def _usual_types(dsl_version: str | None) -> str:
    text = TYPES_FILE.read_text()
    if dsl_version in WITHOUT_DATA_TYPES:
        return text
    for field in NEWER_FIELDS:
        text = text.replace(f"#{field}: ", f"{field}: ")
    return text + DATA_TYPES_FILE.read_text()


def _failed(message: str) -> DSLParsingLogicException:
    return DSLParsingLogicException(IMPORT_FAILED, f"Import failed: {message}")
