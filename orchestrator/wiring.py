"""Builds a node from its configuration: the only place that names concrete classes."""

from __future__ import annotations

from importlib.metadata import version

from orchestrator.clients import Clients
from orchestrator.clients.consul import Consul
from orchestrator.clients.mirror import Mirror
from orchestrator.clients.peers import Peers
from orchestrator.clients.postgres import Postgres
from orchestrator.clients.product import Product
from orchestrator.clients.services import services_of
from orchestrator.config import NodeConfig
from orchestrator.model.spec import Options, Spec
from orchestrator.observe import Observer
from orchestrator.reconcile import Node
from orchestrator.record import membership
from orchestrator.record.status import Reporter

VERSION = version("cloudify-manager-cluster")
"""Read once, and before services are forked: to look for it touches 3 MiB of what they share."""


def clients_of(config: NodeConfig, me: str | None = None, options: Options | None = None) -> Clients:
    """The clients of a node; name and options default to those with which it belongs to a cluster."""
    belongs = membership.read(config.paths.membership_file)
    name = me or belongs.name or ""
    options = options or Options().updated(belongs.options)
    services = services_of(config)
    return Clients(
        config=config,
        me=name,
        consul=Consul(config, name, check_ttl_s=lease_ttl_s(config, options)),
        postgres=Postgres(config, services),
        services=services,
        peers=Peers(config, name),
        mirror=Mirror(config),
        product=Product(config),
    )


def lease_ttl_s(config: NodeConfig, options: Options) -> float:
    """After how many seconds of silence this node's checks fail, and its lease is over."""
    return config.timing.heartbeat_ttl_s * options.check_ttl_multiplier


def spec_of(config: NodeConfig, me: str, options: Options) -> Spec:
    """What the node decides by."""
    timing, files = config.timing, config.files
    return Spec(
        me=me,
        options=options,
        alone_after_s=timing.alone_after_s,
        drop_after_s=timing.drop_after_s,
        switchover_timeout_s=timing.switchover_timeout_s,
        step_down_hold_s=timing.step_down_hold_s,
        service_grace_s=timing.service_grace_s,
        receiver_grace_s=timing.receiver_grace_s,
        minority_after_s=timing.minority_after_s * options.check_ttl_multiplier,
        claim_timeout_s=timing.claim_timeout_s,
        files_compare_s=files.compare_every_s,
        files_check_s=files.check_every_s,
        files_sweep_s=files.sweep_every_s,
        files_retry_s=files.retry_after_s,
    )


def build(config: NodeConfig) -> Node:
    """The node that this machine is at this moment."""
    belongs = membership.read(config.paths.membership_file)
    options = Options().updated(belongs.options)
    clients = clients_of(config, belongs.name, options)
    spec = spec_of(config, clients.me, options)
    return Node(
        clients=clients,
        spec=spec,
        membership=belongs.state,
        observer=Observer(clients, spec, lease_ttl_s(config, options)),
        reporter=Reporter(clients, VERSION, fail_fast=options.check_fail_fast),
    )
