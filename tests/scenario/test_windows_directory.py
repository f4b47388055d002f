"""What a real domain says of groups and accounts after the ticket was made: curl with tickets of a Samba domain, node, rms-connector-authd."""

import signal

import pytest
from test_windows import chain  # pylint: disable=unused-import

from support.wait import eventually

assert chain


@pytest.fixture
def old_ticket(lab, tmp_path):
    """old_ticket(account): a cache that is filled once; tickets for the connector are kept in it, with the groups of that moment."""
    return lambda account: lab.ticket(account, tmp_path)


def with_ticket(c, cache):
    return c.post("--negotiate", "-u", ":", cache=cache)[0]


def refresh(c):
    c.nodes[0].signal(signal.SIGHUP)


def test_members_of_a_distribution_group_come_through(lab, chain):  # pylint: disable=redefined-outer-name
    """C07: no ticket shows it; svc-web is in a group in it, svc-sp in itself, bob in none."""
    c = chain([(lab.sid("SharePoint Mail"), "sharepoint")])
    assert c.kerberos("svc-web")[0] == 200 and c.kerberos("svc-sp")[0] == 200
    assert c.kerberos("bob")[0] == 403
    assert not c.nodes[0].events(3001)


def test_leaving_a_group_counts_although_the_ticket_is_old(lab, chain, old_ticket):  # pylint: disable=redefined-outer-name
    """C23: without restart, with the ticket that still shows the group; and whoever joins again comes in with it."""
    c = chain([(lab.sid("Leavers"), "fci")])
    cache = old_ticket("leaver")
    assert with_ticket(c, cache) == 200
    lab.directory("group", "removemembers", "Leavers", "leaver")
    try:
        refresh(c)
        eventually(lambda: with_ticket(c, cache) == 403, 15, pause=0.3)
        eventually(lambda: "has left the group" in c.nodes[0].request_log()[-1]["detail"])
    finally:
        lab.directory("group", "addmembers", "Leavers", "leaver")
    refresh(c)
    eventually(lambda: with_ticket(c, cache) == 200, 15, pause=0.3)


def test_a_disabled_account_is_out_after_a_refresh(lab, chain, old_ticket):  # pylint: disable=redefined-outer-name
    """C24: with a ticket that was made before; and in again when it is enabled."""
    c = chain([(lab.sid("Leavers"), "fci"), (lab.sid("svc-sp"), "sharepoint")])
    cache = old_ticket("leaver2")
    assert with_ticket(c, cache) == 200
    lab.directory("user", "disable", "leaver2")
    try:
        refresh(c)
        eventually(lambda: with_ticket(c, cache) == 403, 15, pause=0.3)
        eventually(lambda: "disabled" in c.nodes[0].request_log()[-1]["detail"])
    finally:
        lab.directory("user", "enable", "leaver2")
    refresh(c)
    eventually(lambda: with_ticket(c, cache) == 200, 15, pause=0.3)
