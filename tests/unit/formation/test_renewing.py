"""What is renewed, and when that is refused; services are only remembered here."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.formation import pki, renewing
from orchestrator.formation.renewing import Renewal
from orchestrator.model.errors import Refused, ServicesUnavailable
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import membership
from orchestrator.record.membership import Membership


def pairs(clients):
    return pki.read_leaves(clients.config)


def test_all_are_renewed_for_the_same_node(clients):
    before = pairs(clients)
    done = renewing.renew(clients, Renewal())
    assert done.certificates == pki.LEAVES
    assert all(pairs(clients)[leaf] != before[leaf] for leaf in pki.LEAVES)


def test_a_member_keeps_its_name_also_when_its_certificate_is_lost(clients):
    membership.write(clients.config.paths.membership_file, Membership(MembershipState.MEMBER, "n7"))
    (clients.config.paths.ssl / "node.pem").unlink()
    renewing.renew(clients, Renewal())
    assert pki.issued_for(clients.config.paths.ssl) == "n7"


def test_a_dry_run_changes_nothing(clients):
    before = pairs(clients)
    assert renewing.renew(clients, Renewal(dry_run=True)).certificates == pki.LEAVES
    assert pairs(clients) == before


@pytest.mark.parametrize(("life_days", "due"), [(10, ("postgres",)), (90, ()), (-1, ("postgres",))])
def test_only_what_ends_soon_is_renewed(clients, life_days, due):
    pki.issue(clients.config, "n2", ("postgres",), timedelta(days=life_days))
    assert renewing.renew(clients, Renewal(within_days=30)).certificates == due


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Renewal(only=("rest",)), "There is no rest to renew. There is: node, postgres"),
        (Renewal(only=("node",), ca=True), "--ca goes with neither"),
        (Renewal(life_days=0), "valid for 1 to 3650 days"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_changed(clients, wanted, message):
    before = pairs(clients)
    with pytest.raises(Refused, match=message):
        renewing.renew(clients, wanted)
    assert pairs(clients) == before


def test_nothing_is_renewed_in_the_middle_of_a_join(clients):
    membership.write(clients.config.paths.membership_file, Membership(MembershipState.JOINING, "n2"))
    with pytest.raises(Refused, match="joining"):
        renewing.renew(clients, Renewal())


def test_without_a_service_manager_the_certificates_are_renewed_all_the_same(clients):
    class Silent:
        def running(self):
            raise ServicesUnavailable("supervisord does not answer")

    before = pairs(clients)
    done = renewing.renew(replace(clients, services=Silent()), Renewal())
    assert "supervisord does not answer" in done.troubles[0]
    assert pairs(clients) != before


def test_a_ca_that_has_ended_lives_again_and_what_it_had_signed_stays_good(clients):
    ssl = clients.config.paths.ssl
    old = pki.read_ca(ssl)
    pki.install_ca(ssl, pki.new_ca(timedelta(seconds=-1)))
    with pytest.raises(Refused, match="has ended"):
        renewing.renew(clients, Renewal())
    pki.install_ca(ssl, old)
    pki.prolong_ca(ssl, timedelta(seconds=-1))
    renewing.renew(clients, Renewal(ca=True))
    assert pki.read_ca(ssl).key == old.key
    assert pki.read_ca(ssl).certificate != old.certificate
    (ssl / "old.pem").write_text(old.certificate)
    for leaf in pki.LEAVES:
        folder = pki.folder_of(clients.config, leaf)
        assert pki.issued_for(folder, ssl / "ca.pem") == pki.issued_for(folder, ssl / "old.pem") is not None
