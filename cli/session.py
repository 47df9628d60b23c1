"""What a command of ``cfy`` works with: the settings of this call, the profile, the API, the output."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from cli.api import Api
from cli.errors import CliError, NoCredentials
from cli.output import Output
from cli.profile import Profile
from cli.profile_store import ProfileStore
from cli.settings import Settings

PASSWORD_VARIABLE = "CFY_PASSWORD"  # noqa: S105 -- The name of a variable.

IN_MINORITY: Mapping[str, str] = {
    "active": (
        "Minority mode: {address} has lost the majority of its cluster, and acts alone. What is written "
        "there is on that machine only; when the others are back, one side's writes are archived."
    ),
    "read_only": (
        "Minority mode: {address} has lost the majority of its cluster, and only lets read. The others may "
        "have newer data."
    ),
}

P = ParamSpec("P")
R = TypeVar("R")


class Session:
    """One call of ``cfy``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = ProfileStore()
        self.out = Output(settings)
        self._warned = False

    @functools.cached_property
    def profile(self) -> Profile:
        """The profile of this call, with credentials. Raises ``NoProfile`` or ``NoCredentials``."""
        profile = with_credentials(self.store.get(self.settings.profile))
        return replace(profile, tenant=self.settings.tenant or profile.tenant)

    @functools.cached_property
    def api(self) -> Api:
        """The API of the cluster that the profile stands for."""
        return self.api_for(self.profile)

    def api_for(self, profile: Profile, more_ca_files: Iterable[str] = ()) -> Api:
        """The API of another profile; what it learns about the leader is kept, if that profile is stored."""

        def remember(address: str) -> None:
            # The next call is a little slower if this cannot be kept; that is no reason to fail this one.
            with suppress(OSError, CliError):
                self.store.update(profile.name, lambda stored: _led_by(stored, address))

        return Api(
            profile,
            trace=self.out.trace,
            on_leader=remember,
            on_minority=self._warn_once,
            more_ca_files=more_ca_files,
        )

    def _warn_once(self, address: str, way: str) -> None:
        """Say that what was done or shown is one side's word only: last of all, unless a program reads on."""
        if self._warned:
            return
        self._warned = True
        told = IN_MINORITY.get(way, IN_MINORITY["active"]).format(address=address)
        if self.settings.json:
            self.out.warn(told)
        else:
            click.get_current_context().find_root().call_on_close(lambda: self.out.warn(told))

    def learn_members(self, nodes: Iterable[Mapping[str, Any]], name: str | None = None) -> Profile:
        """Keep a node list, as REST gives it, as the members of a profile (default: of this call's)."""
        nodes = list(nodes)
        name = name or self.profile.name
        self.store.update(name, lambda stored: stored.knowing(nodes))
        return self.store.get(name)


def _led_by(profile: Profile, address: str) -> Profile:
    return replace(profile, leader=address) if address in profile.addresses() else profile


def with_credentials(profile: Profile) -> Profile:
    """The profile with a password or a token: from the environment, from the profile, or from the user."""
    if given := os.environ.get(PASSWORD_VARIABLE):
        return replace(profile, password=given, token=None)
    if profile.password or profile.token:
        return profile
    return replace(profile, password=ask_password(f"Password of {profile.username} at {profile.address}"))


def ask_password(prompt: str, *, twice: bool = False) -> str:
    """Ask the user for a password without showing it. Raises ``NoCredentials`` when nobody is there."""
    if not sys.stdin.isatty():
        raise NoCredentials(
            "There is no password, and no terminal to ask for one.",
            f"Give it with --password, set {PASSWORD_VARIABLE}, or start cfy in a terminal.",
        )
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))


def pass_session(function: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Give a command its session as its first argument."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        settings = click.get_current_context().ensure_object(Settings)
        return function(Session(settings), *args, **kwargs)

    return wrapper
