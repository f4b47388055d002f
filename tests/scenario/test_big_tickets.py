"""Tickets and heads as long as they get, from a real domain controller and curl, through the whole chain."""

from support import soap
from support.adlab import people
from support.adlab.daemon import kerberos_token
from support.adlab.site import allow, sites  # noqa: F401  pylint: disable=unused-import
from support.node import ROOT
from support.sim import simulator  # noqa: F401  pylint: disable=unused-import

ASKED = soap.LICENSOR_CERTIFICATE
NAME, PASSWORD, GROUPS = "joiner", "J0iner.Passw0rd", 1000


def test_an_account_in_a_thousand_groups(lab, sites, simulator, tmp_path):
    """E11: C06: Windows allows 1,015 SIDs in a token; the last of the groups is the one on the list. Besides the ticket, 16 KiB are for everything else."""
    lab.must("/usr/bin/python3", ROOT / "tests/support/adlab/many_groups.py", lab.folder / "corp/etc/smb.conf", lab.folder / "corp/private/sam.ldb",
             NAME, PASSWORD, GROUPS, timeout=240)
    site = sites(simulator(), [allow(lab.sid(f"{NAME} {GROUPS - 1:04}"), "sharepoint")])
    cache = f"FILE:{tmp_path}/cc"
    lab.must("kinit", "-c", cache, f"{NAME}@{people.CORP.realm}", stdin=PASSWORD + "\n")
    assert len(kerberos_token(lab, cache)) > 8 * GROUPS

    def asked(*more):
        return site.curl(ASKED, "--negotiate", "-u", ":", *more, KRB5CCNAME=cache).status
    assert asked() == 200
    (row,) = site.served(1)
    assert (row["account"], row["sid"], row["role"]) == (f"CORP\\{NAME}", lab.sid(NAME), "sharepoint")
    assert asked("-H", f"X-Padding: {'x' * 15000}") == 200
    assert asked("-H", f"X-Padding: {'x' * 17000}") == 431
    assert site.curl(ASKED, "-H", f"Cookie: {'x' * 60000}").status == 431, "only a ticket may be so long"
    # 72,000 bytes fit into a head, but are no ticket; 75,000 do not fit.
    assert site.curl(ASKED, "-H", f"Authorization: Negotiate {'YIIA' * 24000}").status == 401
    assert site.curl(ASKED, "-H", f"Authorization: Negotiate {'YIIA' * 25000}").status == 431
    assert len(site.served(2)) == 2
