"""``cfy blueprints``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

import click

from cli import options
from cli.command import Group
from cli.packing import packed
from cli.resources import Resource, delete_command, get_command, list_command
from cli.session import Session, pass_session
from cli.transfers import download as fetch
from cli.transfers import upload as send

ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar", ".zip")
YAML_FILES = (".yaml", ".yml")
MAIN_FILE = "blueprint.yaml"

BLUEPRINTS = Resource(
    "blueprint",
    columns=(
        *("id", "main_file_name", "created_at", "description", "updated_at"),
        *("tenant_name", "created_by", "visibility"),
    ),
    sort_by="created_at",
)


@click.group("blueprints", cls=Group)
def group() -> None:
    """Blueprints: what can be deployed."""


group.add_command(list_command(BLUEPRINTS))
group.add_command(get_command(BLUEPRINTS))
group.add_command(
    delete_command(
        BLUEPRINTS, options.force("Passed on; a blueprint that has deployments stays nevertheless.")
    )
)


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be uploaded: ``path`` or ``url``; ``packs``: the folder around ``path`` goes with it."""

    name: str
    main_file: str
    path: Path = Path()
    url: str | None = None
    packs: bool = False

    @property
    def default_id(self) -> str:
        """The blueprint's id if the user gives none: the folder's or the archive's name, as it was always."""
        main = PurePath(self.main_file)
        suffix = "" if main.name == MAIN_FILE else f".{main.stem}"
        return f"{self.name}{suffix}".replace("_", "-")


def source_of(text: str, main_file: str | None) -> Source:
    """What the user means by the argument of ``upload``. Raises ``click.BadParameter``."""
    if "://" in text:
        return Source(_stem(PurePath(urlsplit(text).path).name), main_file or MAIN_FILE, url=text)
    path = Path(text)
    if not path.exists():
        raise click.BadParameter(f"There is no {text}.")
    if path.is_file() and path.name.lower().endswith(ARCHIVES):
        return Source(_stem(path.name), main_file or MAIN_FILE, path)
    if not (path.is_file() and path.suffix.lower() in YAML_FILES):
        raise click.BadParameter(
            f"{text} is neither a YAML file ({', '.join(YAML_FILES)}) nor an archive ({', '.join(ARCHIVES)})."
        )
    if main_file not in {None, path.name}:
        raise click.BadParameter(f"-n is for archives; the main file is {path.name} here.")
    return Source(path.resolve().parent.name, path.name, path, packs=True)


def _stem(name: str) -> str:
    ending = next((ending for ending in ARCHIVES if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)]


@group.command("upload")
@click.argument("source", metavar="PATH|URL")
@click.option("-b", "--blueprint-id", metavar="ID", help="Default: the name of the folder or of the archive.")
@click.option(
    *("-n", "--blueprint-filename", "main_file"),
    metavar="NAME",
    help=f"The main file within an archive. Default: {MAIN_FILE}.",
)
@options.visibility
@options.in_tenant
@pass_session
def upload(
    session: Session, source: str, blueprint_id: str | None, main_file: str | None, visibility: str
) -> None:
    """Upload a blueprint.

    PATH is a YAML file, whose whole folder is packed and uploaded, or an archive (.tar.gz, .tgz, .tar.bz2,
    .tar, .zip) with one top folder. A URL of an archive is fetched by the manager.
    """
    given = source_of(source, main_file)
    name = blueprint_id or given.default_id
    if not name:
        raise click.UsageError("The name says no id for the blueprint: give one with -b.")
    query = {"application_file_name": given.main_file, "visibility": visibility}
    created = _upload(session, given, BLUEPRINTS.path(name), query)
    session.out.done(f"Blueprint {name} is uploaded.", created)


def _upload(session: Session, source: Source, where: str, query: Mapping[str, str]) -> Any:
    if source.url:
        return session.api.upload(where, None, **query, blueprint_archive_url=source.url)
    if not source.packs:
        return send(session, where, source.path, **query)
    with packed(source.path.resolve().parent) as archive:
        return send(session, where, archive, **query)


@group.command("download")
@click.argument("blueprint_id", metavar="BLUEPRINT")
@options.output_path
@options.in_tenant
@pass_session
def download(session: Session, blueprint_id: str, output_path: Path | None, force: bool) -> None:
    """Download a blueprint's archive, as it was uploaded."""
    where = BLUEPRINTS.path(blueprint_id, "archive")
    file = fetch(session, where, output_path, default=f"{blueprint_id}.tar.gz", force=force)
    session.out.done(f"Blueprint {blueprint_id} is downloaded to {file}.", {"path": str(file)})


@group.command("inputs")
@click.argument("blueprint_id", metavar="BLUEPRINT")
@options.in_tenant
@pass_session
def inputs(session: Session, blueprint_id: str) -> None:
    """Show which inputs a blueprint has."""
    declared = BLUEPRINTS.read(session, blueprint_id)["plan"]["inputs"]
    rows = [{"name": name, **declaration} for name, declaration in declared.items()]
    columns = ("name", "type", "default", "description")
    session.out.table(rows, columns, empty=f"Blueprint {blueprint_id} has no inputs.")
