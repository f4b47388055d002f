"""Callers of several forests: two that trust each other at one node, and one without trust at a node of its own, all with one cloud."""

import pytest

from support import soap
from support.adlab import people
from support.adlab.site import allow, sites  # noqa: F401  pylint: disable=unused-import
from support.realm import Realm
from support.sim import simulator  # noqa: F401  pylint: disable=unused-import
from support.wait import eventually

ASKED = soap.LICENSOR_CERTIFICATE
OUTSIDE = "OUTSIDE.TEST"
OUTSIDE_NAME = "rmsconnector.outside.test"


def domain_of(lab, account="gustav", domain="partner"):
    return lab.sid(account, domain).rpartition("-")[0]


def both(lab):
    return [{"name": people.CORP.realm}, {"name": people.PARTNER.realm, "domains": [domain_of(lab)]}]


# ---- forests that trust each other ----

def test_callers_of_two_forests_come_through_one_node_each_by_its_own_entry(lab, sites, simulator):
    """A06: C22: an account and a group of each forest; the accounts' namesakes in the other forest are refused."""
    cloud = simulator()
    site = sites(cloud, [allow(lab.sid("Exchange Servers"), "exchange", 1), allow(lab.sid("gustav", "partner"), "sharepoint", 2),
                         allow(lab.sid("Partner Servers", "partner"), "fci", 3), allow(lab.sid("twin"), "sharepoint", 4)], realms=both(lab))
    callers = [("SRV1$", people.CORP, "exchange"), ("gustav", people.PARTNER, "sharepoint"), ("PSRV1$", people.PARTNER, "fci"),
               ("twin", people.CORP, "sharepoint")]
    answers = [site.kerberos(ASKED, account, domain) for account, domain, _ in callers]
    assert [answer.status for answer in answers] == [200] * 4
    assert len({answer.body for answer in answers}) == 1 and b"GetLicensorCertificateResponse" in answers[0].body
    rows = site.served(4)
    assert [row["role"] for row in rows] == [role for _, _, role in callers]
    assert [(row["account"], row["sid"]) for row in rows] == [
        (f"{domain.name}\\{account}", lab.sid(account, domain.name.lower())) for account, domain, _ in callers]
    eventually(lambda: site.kerberos(ASKED, "twin", people.PARTNER).status == 403, 30, pause=0.3)  # 429 until the directory has answered
    said = site.node.event(2001)["text"]
    assert "PARTNER\\twin" in said and lab.sid("twin", "partner") in said
    assert len(cloud.requests()) == 4


def test_a_trusted_realm_speaks_for_its_named_domains_only(lab, sites, simulator):
    """A06: E10: J06: without the domain's SID in the settings, the trust's accounts are no callers, whatever the list says."""
    cloud = simulator()
    site = sites(cloud, [allow(lab.sid("gustav", "partner"), "sharepoint")],
                 realms=[{"name": people.CORP.realm}, {"name": people.PARTNER.realm, "domains": [domain_of(lab, "alice", "corp")]}])
    assert site.kerberos(ASKED, "gustav", people.PARTNER).status == 401
    assert site.refused() == {"PAC_FOREIGN": 1}
    assert "not of a domain that its realm may speak for" in site.node.event(2000)["text"]
    assert cloud.requests() == []


def test_a_realm_that_the_settings_do_not_name_is_refused_although_the_domain_trusts_it(lab, sites, simulator):
    """A06: E07: J06: a trust of the directory alone lets nobody in."""
    cloud = simulator()
    site = sites(cloud, [allow(lab.sid("gustav", "partner"), "sharepoint")], realms=[{"name": people.CORP.realm}])
    assert site.kerberos(ASKED, "gustav", people.PARTNER).status == 401
    assert site.refused() == {"UNTRUSTED_REALM": 1}
    assert "PARTNER.TEST" in site.node.event(2000)["text"]
    assert cloud.requests() == []


def test_a_group_of_one_forest_holds_accounts_of_the_other(lab, sites, simulator):
    """A06: C22: a domain-local group here with an account and a group from there. No ticket of Samba's shows it (a Windows controller's would), so the
    directory is asked, also for who is in the foreign group."""
    for friend in ("gustav", "Partner Servers"):
        lab.add_member("Trusted Friends", lab.sid(friend, "partner"))
    site = sites(simulator(), [allow(lab.sid("Trusted Friends"), "sharepoint")], realms=both(lab))
    eventually(lambda: site.kerberos(ASKED, "gustav", people.PARTNER).status == 200, 30, pause=0.3)  # 429 until the directory has answered
    assert site.kerberos(ASKED, "PSRV1$", people.PARTNER).status == 200
    assert site.kerberos(ASKED, "twin", people.PARTNER).status == 403
    assert [row["role"] for row in site.served(2)] == ["sharepoint"] * 2


# ---- a forest without trust ----

@pytest.fixture
def outside(lab, tmp_path):
    """Another organization's realm: its KDC is in the lab's network, and nothing else of it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    realm = Realm(folder, OUTSIDE).start()
    realm.add_service(f"HTTP/{OUTSIDE_NAME}")
    realm.add_user("host7$")
    realm.add_user("visitor")
    realm.keys(f"HTTP/{OUTSIDE_NAME}")
    yield realm
    realm.stop()


def test_a_node_in_a_forest_without_trust_has_its_own_keytab_and_the_same_tenant(lab, sites, simulator, outside):
    """A07: E03: E04: E07: J06: node A serves CORP, node B another realm. Each accepts its own callers; tickets of the other's are refused as what they
    are, keys that B does not have; both nodes hand on the same tenant's certificate."""
    cloud = simulator()
    a = sites(cloud, [allow(lab.sid("SRV1$"), "exchange")], realms=[{"name": people.CORP.realm}])
    b = sites(cloud, [allow(f"host7$@{OUTSIDE}", "fci")], realms=[{"name": OUTSIDE, "directory": False}], name=OUTSIDE_NAME,
              env=outside.env, keytab=str(outside.folder / "export.keytab"))
    theirs = {**outside.env, "KRB5CCNAME": f"FILE:{outside.login('host7$')}"}
    here, there = a.kerberos(ASKED, "SRV1$"), b.curl(ASKED, "--negotiate", "-u", ":", **theirs)
    assert here.status == there.status == 200 and here.body == there.body
    assert [row["account"] for row in a.served(1) + b.served(1)] == ["CORP\\SRV1$", f"host7$@{OUTSIDE}"]
    assert len(cloud.requests()) == 2
    # A caller of CORP at node B with the ticket it has for its own connector; it gets none for B's name.
    assert b.kerberos(ASKED, "SRV1$", name=a.name).status == 401
    assert b.refused() == {"NO_KEY_FOR_SPN": 1}
    assert "no key of the service name" in b.node.event(2000)["text"]
    assert b.kerberos(ASKED, "SRV1$").status == 401 and b.refused() == {"NO_KEY_FOR_SPN": 1}
    # And the other way round.
    assert a.curl(ASKED, "--negotiate", "-u", ":", name=OUTSIDE_NAME, **theirs).status == 401
    assert a.refused() == {"NO_KEY_FOR_SPN": 1}
    # Its own realm's accounts that are on no list are told 403, as anywhere.
    visitor = {**outside.env, "KRB5CCNAME": f"FILE:{outside.login('visitor')}"}
    assert b.curl(ASKED, "--negotiate", "-u", ":", **visitor).status == 403
    assert f"visitor@{OUTSIDE}" in b.node.event(2001)["text"]
    assert len(cloud.requests()) == 2


def test_a_key_of_the_other_forest_in_the_keytab_opens_nothing(lab, sites, simulator, outside):
    """A07: E07: J06: somebody merged the two keytabs; the realm is still none that this node trusts."""
    cloud, keytab = simulator(), outside.folder / "merged.keytab"
    own, other = (outside.folder / "export.keytab").read_bytes(), lab.keytab.read_bytes()
    assert own[:2] == other[:2] == b"\x05\x02"
    keytab.write_bytes(own + other[2:])
    keytab.chmod(0o600)
    b = sites(cloud, [allow(lab.sid("SRV1$"), "exchange"), allow(f"SRV1$@{people.CORP.realm}", "fci", 2)],
              realms=[{"name": OUTSIDE, "directory": False}], env=outside.env, keytab=str(keytab))
    assert b.kerberos(ASKED, "SRV1$").status == 401
    assert b.refused() == {"UNTRUSTED_REALM": 1}
    said = eventually(lambda: b.node.events(2000))[0]["text"]
    assert people.CORP.realm in said and "not one that this connector trusts" in said
    assert cloud.requests() == []
