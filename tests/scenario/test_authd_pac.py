"""What rms-connector-authd makes of the PAC in a ticket, with tickets that are made by hand as a domain controller would, or would not."""

import struct
import time

import pytest

from support import keytab
from support.authd import DONE, REFUSED, Authd
from support.forge import Account, make_cache, sid_bytes
from support.realm import Realm

pytestmark = pytest.mark.threaded
SPN = "HTTP/rms.corp.test"
KEY = keytab.Key(f"{SPN}@CORP.TEST", 3, keytab.AES256, bytes(range(32)))
HOME, AWAY = "S-1-5-21-1-2-3", "S-1-5-21-7-8-9"
TRUST = [{"name": "CORP.TEST"}, {"name": "AWAY.TEST", "domains": [AWAY]}]


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    """Its names and files; no KDC is asked."""
    return Realm(tmp_path_factory.mktemp("realm"))


@pytest.fixture
def prove(realm, tmp_path):
    """prove(account, realms=..., **how of make_cache): the reply to a token with such a ticket."""
    made, links = [], {}
    keytab.write(tmp_path / "http.keytab", [KEY])

    def make(account, realms=None, **how):
        cache = make_cache(tmp_path / "forged.cache", KEY, account, **how)
        if str(realms) not in links:
            made.append(Authd(realm.env, {"keytab": str(tmp_path / "http.keytab"), "threads": 1}, realms).start())
            links[str(realms)] = made[-1].link()
        return links[str(realms)].prove(realm.token(cache, SPN))
    yield make
    for one in made:
        one.finish()


def sids_of(reply):
    assert (reply.outcome, reply.reason) == (DONE, "NONE"), reply
    assert len(set(reply.sids)) == len(reply.sids)
    return set(reply.sids)


def refused(reply, reason, words=""):
    assert (reply.outcome, reply.reason) == (REFUSED, reason) and words in reply.detail, reply


def test_account_and_groups_come_from_the_pac(prove):
    """E10: the account's SID, its groups, foreign and resource groups; not those that only deny."""
    who = Account(groups=(513, 1200, 1201), deny=(1300,), extra=("S-1-18-1", f"{AWAY}-5000"), resource_domain=HOME, resource=(1400,))
    reply = prove(who, requestor=who.sid)
    assert sids_of(reply) == {f"{HOME}-{rid}" for rid in (1104, 513, 1200, 1201, 1400)} | {f"{AWAY}-5000"}, "S-1-18-1 is no group of a domain"
    assert (reply.account, reply.principal, reply.sid) == (r"CORP\exch01", "exch01@CORP.TEST", who.sid)
    assert 3590 < reply.until_s - time.time() <= 3601


def test_without_a_pac(prove):
    """E10: nothing is looked up by name instead."""
    refused(prove(None), "NO_PAC", "exch01@CORP.TEST")


def test_a_pac_that_is_not_signed_with_our_key(prove):
    """E10: made up with another key, or changed behind the signature."""
    refused(prove(Account(), pac_key=bytes(32)), "PAC_BAD", "not signed with our key")

    def grow(pac):
        at = pac.index(struct.pack("<II", 1200, 7))
        return pac[:at] + struct.pack("<II", 512, 7) + pac[at + 8:]
    refused(prove(Account(), change=grow), "PAC_BAD", "not signed with our key")
    assert prove(Account(), change=lambda pac: pac).outcome == DONE


def test_the_requestor_must_be_the_account(prove):
    """E10: an account that was renamed to look like another."""
    refused(prove(Account(), requestor=f"{HOME}-1105"), "PAC_MISMATCH")
    upn = struct.pack("<HHHHIHHHH", 0, 24, 0, 24, 2, 0, 24, 28, 24) + bytes(4)
    for rid, reason in ((1104, "NONE"), (1105, "PAC_MISMATCH")):
        reply = prove(Account(), upn=upn[:24] + sid_bytes(f"{HOME}-{rid}"))
        assert reply.reason == reason, reply


def test_a_trusted_realm_speaks_for_its_own_domains_only(prove):
    """E10: SIDs of ours in a foreign ticket are dropped, an account of ours in it is refused, and a realm without domains speaks for none."""
    who = Account(domain="AWAY", domain_sid=AWAY, extra=(f"{HOME}-512", "S-1-5-32-544", f"{AWAY}-600"))
    reply = prove(who, TRUST, client="exch01@AWAY.TEST")
    assert sids_of(reply) == {f"{AWAY}-{rid}" for rid in (1104, 513, 1200, 600)} and reply.account == r"AWAY\exch01"
    refused(prove(Account(), TRUST, client="exch01@AWAY.TEST"), "PAC_FOREIGN")
    refused(prove(who, [{"name": "CORP.TEST"}, {"name": "AWAY.TEST"}], client="exch01@AWAY.TEST"), "PAC_FOREIGN", "no domain is named")
    refused(prove(who, client="exch01@AWAY.TEST"), "UNTRUSTED_REALM")
    assert prove(Account(), TRUST).outcome == DONE


def test_anonymous(prove):
    """E07: by principal, or by the account in the PAC."""
    for realms in (None, [{"name": "CORP.TEST", "directory": False}]):
        refused(prove(Account(), realms, client="WELLKNOWN/ANONYMOUS@CORP.TEST"), "ANONYMOUS")
    refused(prove(Account(), client="WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS"), "ANONYMOUS")
    refused(prove(Account(rid=0, extra=("S-1-5-7",))), "ANONYMOUS")


def test_too_many_groups_and_many(prove):
    """E10, E11: 1,015 groups, as many as Windows allows, are all there; more than 4,096 are refused."""
    assert len(sids_of(prove(Account(groups=tuple(range(2000, 3015)))))) == 1017
    refused(prove(Account(groups=tuple(range(2000, 6100)))), "TOO_MANY_GROUPS")


def test_a_signed_pac_that_is_nonsense(prove):
    """E10: the signature is right and the contents are not; each is refused and the next one is answered."""
    whole = Account().logon()

    class Raw(Account):
        def logon(self):
            return self.raw
    for at in range(0, len(whole), 4):
        for value in (b"\xff\xff\xff\x7f", bytes(4)):
            one = Raw()
            one.raw = whole[:at] + value + whole[at + 4:]
            reply = prove(one)
            assert reply.outcome == DONE or reply.reason in ("PAC_BAD", "TOO_MANY_GROUPS"), (at, value, reply)
    for cut in range(4, len(whole), 24):
        one = Raw()
        one.raw = whole[:cut]
        refused(prove(one), "PAC_BAD")
    assert prove(Account()).outcome == DONE


def test_tickets_out_of_time(prove):
    """E04: each with its own reason; the clock of ticket and service may differ by five minutes."""
    for begins, ends, reason in ((-7200, -400, "EXPIRED"), (-7200, -200, "NONE"), (400, 7200, "NOT_YET_VALID"), (200, 7200, "NONE")):
        assert prove(Account(), begins=begins, ends=ends).reason == reason, (begins, ends)
