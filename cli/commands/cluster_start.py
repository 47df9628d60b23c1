"""``cfy cluster start``."""

from __future__ import annotations

import click

from cli import options
from cli.command import Command
from cli.formation import FORMATION_TIMEOUT_S, Progress, member_request, refuse_member
from cli.members import read_nodes
from cli.options import NewMember
from cli.session import Session, pass_session
from cli.waiting import Deadline


@click.command("start", cls=Command)
@options.new_member
@options.timeout(FORMATION_TIMEOUT_S)
@pass_session
def command(session: Session, member: NewMember, timeout_s: float) -> None:
    """Make the manager of the profile the first of a cluster."""
    api = session.api_for(session.profile.pinned())
    request = member_request(member, session.profile.address)
    refuse_member(api)
    deadline = Deadline(timeout_s)
    api.put("/cluster", request)
    node_name, host_ip = request["node_name"], request["host_ip"]
    deadline.wait_for(Progress.over_rest(api, session.out).ask, "the cluster has not started")
    nodes = deadline.wait_for(lambda: read_nodes(api) or None, "the new cluster does not answer")
    session.learn_members(nodes)
    took_s = round(deadline.elapsed_s, 1)
    data = {"node_name": node_name, "host_ip": host_ip, "took_s": took_s}
    session.out.done(f"The cluster is started, and {node_name} leads it. It took {took_s:.1f} s.", data)
