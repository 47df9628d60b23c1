"""``cfy cluster join``: relays between the leader, who decides, and the manager that joins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import click

from cli import options
from cli.api import Api, path
from cli.command import Command
from cli.errors import NOT_LEADER, CliError, Denied, NoManager, Rejected
from cli.formation import FORMATION_TIMEOUT_S, Progress, member_request, refuse_member
from cli.members import not_in_cluster, read_nodes
from cli.options import NewMember
from cli.profile import Profile
from cli.session import Session, pass_session, with_credentials
from cli.waiting import Deadline

JOINED: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Join:
    """One join: the two sides, and what the new member shall be."""

    session: Session
    joining: Api
    leader: Api
    member: Mapping[str, Any]
    deadline: Deadline

    @property
    def name(self) -> str:
        """The new member's name."""
        return str(self.member["node_name"])

    @property
    def host_ip(self) -> str:
        """The new member's address."""
        return str(self.member["host_ip"])

    def invite(self) -> dict[str, Any]:
        """What the joining manager is to be sent, as the leader hands it out. Raises ``CliError``."""
        nodes = self._members()
        body = {"host_ip": self.host_ip, "node_name": self.name}
        # An invitation that got lost is of no use, even if the leader says that it gave one.
        invitation = self.leader.put(path("cluster", "nodes", self.name), body, answer_needed=True)
        given = {"credentials": invitation["credentials"], "required": invitation["required"]}
        return {**self.member, **given, "join_addrs": [node["host_ip"] for node in nodes]}

    def _members(self) -> list[dict[str, Any]]:
        """Those of the cluster; what is wrong is told about the one that was named, not about the profile."""
        try:
            return read_nodes(self.leader)
        except Rejected as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise not_in_cluster(self.leader.profile.address) from error
            if isinstance(error, Denied):
                error.hint = _credentials_hint(self.leader.profile, self.session)
            raise
        except NoManager as error:
            if error.all_say(None) and "certificate" not in error.message:
                error.hint = "Name a member of the cluster by its address, or a profile: cfy profiles list"
            raise

    def join(self, request: Mapping[str, Any]) -> None:
        """Let the manager join, and follow it until it is a member."""
        self.joining.put("/cluster", request)
        progress = Progress.over_rest(self.joining, self.session.out)
        self.deadline.wait_for(lambda: self._joined(progress), f"{self.name} has not joined")

    @staticmethod
    def _joined(progress: Progress) -> Mapping[str, Any] | None:
        """Not None once the manager is a member: it says so, or does not lead, or has other users."""
        try:
            return progress.ask()
        except NoManager as error:
            if error.all_say(NOT_LEADER):
                return JOINED
            raise
        except Denied:
            # Its users are the cluster's by now, and need not include the one who asked it to join.
            return JOINED

    def wait_until_online(self) -> list[dict[str, Any]]:
        """Wait until the leader sees the new member well, and return the members."""
        self.session.out.progress(f"Waiting until {self.name} is online.")
        return self.deadline.wait_for(self._online, f"{self.name} has joined, but is not online")

    def _online(self) -> list[dict[str, Any]] | None:
        nodes = read_nodes(self.leader)
        return (
            nodes if any(node["host_ip"] == self.host_ip and node.get("online") for node in nodes) else None
        )


@click.command("join", cls=Command)
@click.argument("leader", metavar="ADDRESS|PROFILE")
@options.new_member
@options.timeout(FORMATION_TIMEOUT_S)
@pass_session
def command(session: Session, leader: str, member: NewMember, timeout_s: float) -> None:
    """Make the manager of the profile a replica in a cluster.

    ADDRESS or PROFILE names the cluster: any of its members, or a profile of it. Without a profile for that
    address, the present profile's user, port and CA file are used.
    """
    mine = session.profile
    theirs = leader_profile(session, leader)
    job = Join(
        session=session,
        joining=session.api_for(mine.pinned(), more_ca_files=[theirs.ca_file or ""]),
        leader=session.api_for(theirs),
        member=member_request(member, mine.address),
        deadline=Deadline(timeout_s),
    )
    refuse_member(job.joining)
    job.join(job.invite())
    _learn(session, theirs, job.wait_until_online())
    took_s = round(job.deadline.elapsed_s, 1)
    data = {"node_name": job.name, "host_ip": job.host_ip, "took_s": took_s}
    session.out.done(f"{job.name} is a replica of the cluster. It took {took_s:.1f} s.", data)


def leader_profile(session: Session, leader: str) -> Profile:
    """The cluster's profile: by its name, by a member's address, or made up from the present one."""
    mine = session.profile
    if leader in {mine.name, mine.address}:
        raise CliError(
            f"{leader!r} is the manager of the present profile, which cannot join itself.",
            "Switch to the profile of the manager that shall join: cfy profiles use ADDRESS",
        )
    named = session.store.find(leader)
    if named is None:
        others = (session.store.get(name) for name in session.store.names() if name != mine.name)
        named = next((profile for profile in others if leader in profile.addresses()), None)
    if named is None:
        return replace(mine.pinned(), name=leader, address=leader)
    return with_credentials(named)


def _credentials_hint(theirs: Profile, session: Session) -> str:
    name = theirs.name
    if session.store.find(name):
        return f"Correct the credentials of that profile: cfy profiles set {name} --username NAME --password"
    return f"{name} has no profile, so the present one's credentials were used: cfy profiles use {name}"


def _learn(session: Session, theirs: Profile, nodes: list[dict[str, Any]]) -> None:
    """Both profiles know all members now; the joined manager has the cluster's users and CA from here on."""
    mine = session.profile.name
    session.store.update(mine, lambda stored: _as_member_of(theirs, stored))
    session.learn_members(nodes, mine)
    if session.store.find(theirs.name):
        session.learn_members(nodes, theirs.name)


def _as_member_of(cluster: Profile, joined: Profile) -> Profile:
    return replace(cluster, name=joined.name, address=joined.address, members=(), leader=None)
