"""Makes the parser start and read faster. To be imported before it.

What it imports to speak to a manager over HTTP takes a quarter of the time of a start, and is never used
here: ``imports`` reads everything that is imported. Of ``pkg_resources``, which is slow to import,
one function is used, which Python has as well. And YAML is read with libyaml, in a tenth of the time.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoints, entry_points
from types import ModuleType
from typing import Any

import yaml

UNUSED = (
    *("requests", "requests.exceptions", "cloudify.manager"),
    *("cloudify_rest_client", "cloudify_rest_client.constants", "cloudify_rest_client.exceptions"),
)


class Absent(ModuleType):
    """A module of which only names are needed: each is an error that nobody raises."""

    __path__: list[str] = []  # noqa: RUF012  # that makes it a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


class PackageResources(ModuleType):
    """As much of ``pkg_resources`` as the parser uses: to look for functions that other packages bring."""

    @staticmethod
    def iter_entry_points(group: str) -> EntryPoints:
        """What the installed packages offer."""
        return entry_points(group=group)


sys.modules.update({name: Absent(name) for name in UNUSED})
sys.modules["pkg_resources"] = PackageResources("pkg_resources")

from dsl_parser import yaml_loader  # noqa: E402  # the modules above have to be in place before


def _use_libyaml() -> None:
    if not yaml.__with_libyaml__:
        return

    c_parser: Any = vars(yaml.cyaml)["CParser"]

    class Loader(c_parser, yaml_loader.HolderConstructor, yaml.resolver.Resolver):  # type: ignore[misc]
        """As the parser's own ``MarkedLoader``, with the first four of its parts in C."""

        def __init__(self, stream: str, filename: str | None = None) -> None:
            c_parser.__init__(self, stream)
            yaml_loader.HolderConstructor.__init__(self, filename)
            yaml.resolver.Resolver.__init__(self)

    yaml_loader.MarkedLoader = Loader


_use_libyaml()
