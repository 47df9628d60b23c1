"""``cfy profiles``: which cluster is spoken to, and as whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from cli.api import Api
from cli.command import Group
from cli.errors import NOT_LEADER, Denied, NoManager
from cli.members import read_nodes, read_state
from cli.profile import DEFAULT_PORTS, Profile
from cli.session import Session, pass_session, with_credentials


@click.group("profiles", cls=Group)
def group() -> None:
    """Which cluster is spoken to, and as whom."""


def _ca_file(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> str | None:
    return str(value.resolve()) if value else None


def connection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that a profile is made of."""
    existing = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
    options = [
        click.option(
            "-u", "--username", "--manager-username", "username", metavar="NAME", help="Default: admin."
        ),
        click.option(
            *("-p", "--password", "--manager-password", "password"),
            prompt=True,
            prompt_required=False,
            hide_input=True,
            help="Asked for when it has no value. CFY_PASSWORD shows in no process list, either.",
        ),
        click.option("--token", metavar="TOKEN", help="Use a token (cfy tokens get) in place of a password."),
        click.option(
            "-t", "--tenant", "--manager-tenant", "tenant", metavar="NAME", help="Default: default_tenant."
        ),
        click.option(
            "--rest-port", "port", type=click.IntRange(1, 65535), help="Default: 443, or 80 for http."
        ),
        click.option(
            "--rest-protocol", "protocol", type=click.Choice(["https", "http"]), help="Default: https."
        ),
        click.option(
            *("--ssl-ca-file", "ca_file"),
            type=existing,
            callback=_ca_file,
            metavar="FILE",
            help="The CA that signed the managers' certificates. Default: those that this machine trusts.",
        ),
        click.option(
            "--ssl-trust-all/--ssl-verify",
            "trust_all",
            default=None,
            help="Do not check certificates (anyone in between can read the password), or check them again.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def changed(profile: Profile, given: dict[str, Any]) -> Profile:
    """The profile with what was given on the command line; what was not given stays."""
    given = {key: value for key, value in given.items() if value is not None}
    if "protocol" in given and "port" not in given and profile.port == DEFAULT_PORTS[profile.protocol]:
        given["port"] = DEFAULT_PORTS[given["protocol"]]
    if "password" in given and "token" not in given:
        given["token"] = None
    return replace(profile, **given)


@group.command("use")
@click.argument("manager", metavar="ADDRESS|PROFILE")
@click.option("--profile-name", metavar="NAME", help="Default: the manager's address.")
@click.option("--no-check", is_flag=True, help="Do not ask the manager whether it answers.")
@connection_options
@pass_session
def use(session: Session, /, manager: str, profile_name: str | None, no_check: bool, **given: Any) -> None:
    """Use a manager, or a profile that was made before.

    The user's name, password, tenant and so on are stored in the profile. If the manager belongs to a
    cluster, the profile also holds the other members, and moves to whichever of them leads.
    """
    name = profile_name or manager
    stored = session.store.find(name)
    profile = changed(stored or Profile(name=name, address=manager), given)
    if not no_check:
        profile = with_credentials(profile)
        profile = _checked(session, profile)
    session.store.save(profile)
    session.store.use(name)
    session.out.done(f"Using {_described(profile)}.", profile.without_secrets())


def _checked(session: Session, profile: Profile) -> Profile:
    """The profile, after its manager has answered as one, with the members of its cluster."""
    api = session.api_for(profile)
    try:
        api.get("/status")
        api.get("/provider/context")
    except (Denied, NoManager) as error:
        error.hint = _hint_for(error, profile)
        raise
    return profile.knowing(_members(session, api))


def _members(session: Session, api: Api) -> list[dict[str, Any]]:
    try:
        return read_nodes(api) if read_state(api)["initialized"] else []
    except Denied:
        # Whoever may not look at the cluster may use it all the same, by the addresses that he knows.
        session.out.progress("Only administrators see a cluster's members: the profile has one address.")
        return []


def _hint_for(error: Denied | NoManager, profile: Profile) -> str | None:
    """What to do about it, in the words of ``use``: a profile that could be changed may not exist yet."""
    if isinstance(error, Denied):
        return "Give what is right: --username NAME, --password (or CFY_PASSWORD), --tenant NAME."
    if any("certificate" in failure.reason for failure in error.failures):
        return "Name the CA that signed the manager's certificate: --ssl-ca-file FILE"
    if len(profile.addresses()) == 1 and error.all_say(NOT_LEADER):
        return "Name the cluster's leader, or another member that may know it: cfy profiles use <address>"
    if error.all_say(None):
        return "Check the address, --rest-port and --rest-protocol. --no-check stores the profile as it is."
    return error.hint


def _described(profile: Profile) -> str:
    where = f"{profile.protocol}://{profile.address}:{profile.port}"
    who = f"as {profile.username}, tenant {profile.tenant}"
    cluster = (
        f", a cluster of {', '.join(member.name for member in profile.members)}" if profile.members else ""
    )
    return f"{where} {who}{cluster}"


@group.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the profiles."""
    current = session.store.current_name()
    profiles = [session.store.get(name) for name in session.store.names()]
    rows = [{**_row(profile), "current": profile.name == current} for profile in profiles]
    columns = ("current", "name", "address", "members", "username", "tenant", "port", "protocol")
    shown = [row | {"current": "*" if row["current"] else ""} for row in rows]
    data = [profile.without_secrets() | {"current": profile.name == current} for profile in profiles]
    session.out.table(
        shown, columns, data=data, empty="There are no profiles. cfy profiles use <address> makes one."
    )


def _row(profile: Profile) -> dict[str, Any]:
    return profile.without_secrets() | {"members": [member.name for member in profile.members]}


@group.command("show-current")
@pass_session
def show_current(session: Session) -> None:
    """Show the profile in use."""
    profile = session.store.get(session.settings.profile)
    shown = profile.without_secrets()
    members = [f"{member.name} ({member.address})" for member in profile.members]
    session.out.details(shown | {"members": members}, shown)


@group.command("set")
@click.argument("name", required=False)
@connection_options
@pass_session
def set_(session: Session, /, name: str | None, **given: Any) -> None:
    """Change a profile (default: the one in use)."""
    if all(value is None for value in given.values()):
        raise click.UsageError("Nothing to set. See --help for what a profile consists of.")
    profile = session.store.get(name or session.settings.profile)
    session.store.update(profile.name, lambda stored: changed(stored, given))
    profile = session.store.get(profile.name)
    session.out.done(f"Profile {profile.name} is changed.", profile.without_secrets())


@group.command("delete")
@click.argument("name")
@pass_session
def delete(session: Session, name: str) -> None:
    """Delete a profile. The cluster itself is not touched."""
    session.store.delete(name)
    session.out.done(f"Profile {name} is deleted.", {"deleted": name})
