"""The code of operations: what comes with the manager, and what a blueprint brings in its archive.

Two blueprints may both have a ``tasks.py``, and one may have a module that is called like one of ours. So an
archive's modules are there only while an operation of it runs, and ours that have their names are not.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Function = Callable[..., Any]

INSTALLER = "cloudify_agent.installer.operations."
"""The operations that bring agents onto machines."""

AGENTS = ("create", "configure", "start", "stop", "delete", "restart", "validate")

BUILT_IN: Mapping[str, str] = {
    **{f"{INSTALLER}{name}": f"manager.agents.installer.{name}" for name in AGENTS},
    "script_runner.tasks.run": "manager.operations.scripts.run",
    "fabric_plugin.tasks.run_script": "manager.operations.over_ssh.run_script",
    "fabric_plugin.tasks.run_commands": "manager.operations.over_ssh.run_commands",
}
"""What blueprints know by other names."""

OURS = "manager.operations."
"""What begins like this comes with the manager."""

KEPT = frozenset(
    sys.stdlib_module_names | {"cloudify", "cloudify_rest_client", "dsl_parser", "script_runner"}
)
"""Modules that a blueprint's own do not replace: those above have to find their own."""

PLUGINS = "plugins"


class CodeNotFound(Exception):
    """There is no such function. The message says what was looked for, and where."""


def built_in(name: str) -> str | None:
    """The full name of a function that comes with the manager; None: it is a blueprint's."""
    return BUILT_IN.get(name) or (name if name.startswith(OURS) else None)


def find_built_in(name: str) -> Function:
    """Raises ``CodeNotFound``."""
    return _function(name, "the manager")


@contextmanager
def code_of(content: Path, source: str | None) -> Iterator[Callable[[str], Function]]:
    """Within the block, modules of an archive can be imported; afterwards they are gone.

    Gives what finds a function by its full name, and raises ``CodeNotFound``. ``content``: the inside of the
    archive. ``source``: the plugin's folder in it.
    """
    folders = _folders(content, source)
    replaced = _take_out(_names(folders))
    before, path = set(sys.modules), list(sys.path)
    sys.path[:0] = map(str, folders)
    importlib.invalidate_caches()
    try:
        yield lambda name: _function(name, ", ".join(_shown(folder, content) for folder in folders))
    finally:
        sys.path[:] = path
        for name in [name for name in sys.modules if name not in before and _is_in(name, content)]:
            del sys.modules[name]
        _forget_folders(content)
        sys.modules.update(replaced)


def _folders(content: Path, source: str | None) -> list[Path]:
    named = [content / source, content / PLUGINS / source] if source and "://" not in source else []
    root = content.resolve()
    inside = [folder for folder in (*named, content) if folder.resolve().is_relative_to(root)]
    return [folder for folder in dict.fromkeys(inside) if folder.is_dir()]


def _shown(folder: Path, content: Path) -> str:
    return f"the folder '{folder.relative_to(content)}' of the blueprint's archive"


def _names(folders: list[Path]) -> set[str]:
    """The names of all modules that could be imported from there."""
    found = {path.stem for folder in folders for path in folder.iterdir() if path.suffix in {"", ".py"}}
    return found - KEPT


def _take_out(names: set[str]) -> dict[str, Any]:
    taken = {name: sys.modules[name] for name in list(sys.modules) if name.partition(".")[0] in names}
    for name in taken:
        del sys.modules[name]
    return taken


def _is_in(name: str, content: Path) -> bool:
    module = sys.modules[name]
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(place and Path(place).is_relative_to(content) for place in places)


def _forget_folders(content: Path) -> None:
    for place in [place for place in sys.path_importer_cache if Path(place).is_relative_to(content)]:
        del sys.path_importer_cache[place]


def _function(name: str, where: str) -> Function:
    module_name, _, function_name = name.rpartition(".")
    if not module_name:
        raise CodeNotFound(f"'{name}' names no function: it has to be MODULE.FUNCTION.")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if missing == module_name or module_name.startswith(f"{missing}."):
            raise CodeNotFound(f"There is no module '{module_name}' for '{name}' in {where}.") from error
        raise CodeNotFound(
            f"The module '{module_name}' of '{name}' needs the module '{missing}', which is not there."
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        place = getattr(module, "__file__", where)
        raise CodeNotFound(f"The module '{module_name}' ({place}) has no function '{function_name}'.")
    found: Function = function
    return found
