"""What rms-connector-authd learns from a real Active Directory."""

import shutil

import pytest

from support.adlab import people
from support.adlab.daemon import DONE, Daemon, kerberos_token
from support.wait import eventually


@pytest.fixture
def authd(lab, tmp_path):
    lab.ready("partner")
    daemon = Daemon(lab, tmp_path / "authd")
    yield daemon.connect()
    daemon.finish()


def one(answer):
    assert answer["ok"] and len(answer["objects"]) == 1, answer
    return answer["objects"][0]


def test_objects_are_found_by_name_principal_and_sid_with_their_kind(lab, authd):
    """C20: C13: C11: names, with or without a domain, user principal names and SIDs are resolved against the directory."""
    for text, name, kind in (("Exchange Servers", "CORP\\Exchange Servers", "group"), ("CORP\\alice", "CORP\\alice", "user"),
                             ("corp.test\\SRV1$", "CORP\\SRV1$", "computer"), ("alice@corp.test", "CORP\\alice", "user"),
                             ("SharePoint Mail", "CORP\\SharePoint Mail", "distribution"), (people.GMSA, "CORP\\gmsa-sp$", "gmsa"),
                             ("PARTNER\\gustav", "PARTNER\\gustav", "user"), (lab.sid("FS01$"), "CORP\\FS01$", "computer")):
        found = one(authd.ask("find", text=text))
        assert (found["name"], found["kind"]) == (name, kind)
        assert found["sid"] == lab.sid(name.split("\\")[1], name.split("\\")[0].lower()) and not found["disabled"]
    assert one(authd.ask("find", text="carol"))["disabled"]
    assert one(authd.ask("find", text="File Servers Local"))["scope"] == "domain-local"


def test_unknown_ambiguous_and_incomplete_names_are_answered_with_advice(authd):
    """C10: C20: a computer's name without its dollar, names that nothing or several things have."""
    nothing = authd.ask("find", text="nobody-here")
    assert nothing["objects"] == [] and "nothing is called nobody-here" in nothing["hint"]
    computer = authd.ask("find", text="FS01")
    assert computer["objects"] == [] and "write CORP\\FS01$" in computer["hint"]
    several = authd.ask("find", text="twin")
    assert {found["name"] for found in several["objects"]} == {"CORP\\twin", "PARTNER\\twin"} and "ambiguous" in several["hint"]
    elsewhere = authd.ask("find", text="NOWHERE\\alice")
    assert not elsewhere["ok"] and elsewhere["code"] == "unknown-domain" and "CORP.TEST" in elsewhere["error"]
    for text in ("*", "a)(objectClass=*", "\\", "CORP\\", "x" * 300, ""):
        answer = authd.ask("find", text=text)
        assert not answer.get("objects"), text


def test_objects_are_searched_by_pattern(authd):
    """C21"""
    found = authd.ask("search", pattern="exch*")
    assert [(row["name"], row["kind"]) for row in found["objects"]] == [("CORP\\Exchange Servers", "group")] and not found["truncated"]
    many = authd.ask("search", pattern="many*", limit=20)
    assert len(many["objects"]) == 20 and many["truncated"]
    assert authd.ask("search", pattern="zzz*")["objects"] == []


def test_members_are_listed_at_any_depth_and_disabled_ones_apart(lab, authd):
    """C06: C14: C15: C24: nested groups, computers; who is disabled is no member."""
    answer = authd.ask("members", sid=lab.sid("RMS Connector Clients"))
    assert set(answer["members"]) == {lab.sid(name) for name in ("SRV1$", "SRV2$", "alice")}
    assert answer["disabled"] == [lab.sid("carol")] and not answer["truncated"]


def test_members_of_distribution_groups_primary_groups_and_large_groups(lab, authd):
    """C07: what no ticket shows is expanded: distribution groups with groups in them; also primary groups, and more than a page."""
    mail = authd.ask("members", sid=lab.sid("SharePoint Mail"))
    assert set(mail["members"]) == {lab.sid("svc-sp"), lab.sid("svc-web")}
    assert authd.ask("members", sid=lab.sid("Primary Club"))["members"] == [lab.sid("dave")]
    many = authd.ask("members", sid=lab.sid("Many"))  # accounts without a password are disabled
    assert len(set(many["disabled"])) == people.MANY and many["members"] == [] and not many["truncated"]


def test_members_from_a_trusted_forest_are_listed_by_sid(lab, authd):
    """C22"""
    lab.add_member("Trusted Friends", lab.sid("gustav", "partner"))
    friends = authd.ask("members", sid=lab.sid("Trusted Friends"))
    assert friends["ok"] and set(friends["members"]) >= {lab.sid("gustav", "partner")}
    lab.add_member("Trusted Friends", lab.sid("Partner Servers", "partner"))
    assert lab.sid("PSRV1$", "partner") in authd.ask("members", sid=lab.sid("Trusted Friends"))["members"]


def test_a_sid_that_nobody_has_is_gone_and_one_of_no_domain_is_unknown(lab, authd):
    """C19"""
    domain = lab.sid("alice").rpartition("-")[0]
    assert authd.ask("members", sid=f"{domain}-99999")["code"] == "gone"
    assert authd.ask("groups", sid="S-1-5-21-1-2-3-500")["code"] == "unknown-domain"


def test_groups_of_an_account_are_those_of_its_ticket(lab, authd, tmp_path):
    """C06: C09: the directory's tokenGroups and the PAC of a real controller name the same groups; nested ones are among them."""
    answer = authd.ask("groups", sid=lab.sid("SRV1$"))
    assert answer["account"]["kind"] == "computer"
    assert {lab.sid("Exchange Servers"), lab.sid("RMS Connector Clients")} <= set(answer["groups"])
    # tokenGroups has BUILTIN\Users (S-1-5-32-545) for every account: SIDs of no domain are no groups, wherever they come from.
    assert all(one.startswith("S-1-5-21-") for one in [*answer["groups"], *authd.ask("groups", sid=lab.sid("alice"))["groups"]])
    reply = authd.token(kerberos_token(lab, lab.ticket("SRV1$", tmp_path)))
    assert (reply.outcome, reply.account, reply.sid) == (DONE, "CORP\\SRV1$", lab.sid("SRV1$")), reply
    assert {lab.sid("Exchange Servers"), lab.sid("RMS Connector Clients"), reply.sid} <= set(reply.sids)
    assert lab.sid("SharePoint Mail") not in reply.sids


def test_the_way_by_which_an_account_is_in_a_group(lab, authd):
    """E16: the shortest chain of groups, also over the primary group; none when it is in it not at all."""
    def path(account, group):
        answer = authd.ask("path", sid=lab.sid(account), group=lab.sid(group))
        assert answer["ok"], answer
        return [name.split("\\")[1] for name in answer["path"]]
    assert path("SRV1$", "RMS Connector Clients") == ["SRV1$", "Exchange Servers", "RMS Connector Clients"]
    assert path("svc-web", "SharePoint Mail") == ["svc-web", "SharePoint Web", "SharePoint Mail"]
    assert path("dave", "Primary Club") == ["dave", "Primary Club"]
    assert path("bob", "Exchange Servers") == []
    assert authd.ask("path", sid="S-1-5-21-1-2-3-500", group=lab.sid("Many"))["code"] == "unknown-domain"
    assert authd.ask("path", sid=lab.sid("bob").rpartition("-")[0] + "-99999", group=lab.sid("Many"))["code"] == "gone"
    assert authd.ask("path", sid=lab.sid("bob"))["code"] == "malformed"


def test_disabled_and_deleted_accounts_are_named(lab, authd):
    """C24"""
    gone = lab.sid("alice").rpartition("-")[0] + "-99999"
    rows = authd.ask("accounts", sids=[lab.sid("alice"), lab.sid("carol"), lab.sid("OLD1$"), gone, "S-1-5-21-1-2-3-4"])["accounts"]
    said = {row["sid"]: (row["found"], row["disabled"]) for row in rows}
    assert said == {lab.sid("alice"): (True, False), lab.sid("carol"): (True, True), lab.sid("OLD1$"): (True, True), gone: (False, False)}


def test_each_domain_says_how_it_answers(authd):
    corp, partner = authd.ask("directory")["domains"]
    assert (corp["netbios"], corp["controller"], corp["reachable"]) == ("CORP", "dc1.corp.test", True), corp
    assert (partner["netbios"], partner["reachable"]) == ("PARTNER", True), partner


def test_a_removed_member_is_gone_at_the_next_look(lab, authd):
    """C23: at the directory's level."""
    sid = lab.sid("RMS Connector Clients")
    lab.directory("group", "addmembers", "RMS Connector Clients", "bob")
    try:
        assert lab.sid("bob") in authd.ask("members", sid=sid)["members"]
    finally:
        lab.directory("group", "removemembers", "RMS Connector Clients", "bob")
    assert lab.sid("bob") not in authd.ask("members", sid=sid)["members"]


def test_controllers_by_name_the_next_one_when_the_first_is_away(lab, tmp_path):
    daemon = Daemon(lab, tmp_path / "authd", realms=[{"name": "CORP.TEST", "controllers": ["127.0.0.99", "dc1.corp.test"]}])
    corp = daemon.connect().ask("directory")["domains"][0]
    assert corp["reachable"] and corp["controller"] == "dc1.corp.test", corp
    daemon.finish()


def test_ldaps_with_a_password_and_its_mistakes(lab, tmp_path):
    secret, ca = tmp_path / "password", lab.folder / "corp/private/tls/ca.pem"
    row = {"name": "CORP.TEST", "bind_dn": "svc-rms@corp.test", "password_file": str(secret), "ca_file": str(ca)}
    secret.write_text(people.password(people.CONNECTOR) + "\n")
    daemon = Daemon(lab, tmp_path / "good", realms=[row])
    assert one(daemon.connect().ask("find", text="alice"))["sid"] == lab.sid("alice")
    daemon.finish()
    good = secret.read_text()
    for name, mistake, said in (("password", {}, "Invalid credentials"), ("ca", {"ca_file": str(lab.folder / "partner/private/tls/ca.pem")}, "ca_file")):
        secret.write_text("wrong\n" if name == "password" else good)
        daemon = Daemon(lab, tmp_path / f"authd-{name}", realms=[{**row, **mistake}])
        answer = daemon.connect().ask("find", text="alice")
        assert not answer["ok"] and answer["code"] == "unreachable" and said in answer["error"] + answer["mend"], answer
        daemon.finish()


def test_without_realms_in_the_settings_those_of_the_keytab_are_asked(lab, tmp_path):
    daemon = Daemon(lab, tmp_path / "authd", realms=[])
    assert [row["realm"] for row in daemon.connect().ask("directory")["domains"]] == ["CORP.TEST"]
    daemon.finish()


def test_realms_of_a_keytab_that_comes_later(lab, tmp_path):
    daemon = Daemon(lab, tmp_path / "authd", realms=[], keytab=str(tmp_path / "later.keytab"))
    wire = daemon.connect()
    assert not wire.ask("find", text="alice")["ok"]
    shutil.copy(lab.keytab, tmp_path / "later.keytab")
    eventually(lambda: wire.ask("find", text="alice")["ok"], 10)
    daemon.finish()


def test_a_directory_that_is_away_is_told_in_bounded_time(lab, tmp_path):
    daemon = Daemon(lab, tmp_path / "authd", realms=[{"name": "NOWHERE.TEST"}, {"name": "CORP.TEST", "controllers": ["127.0.0.99"]}])
    answer = daemon.connect().ask("find", text="alice")
    assert not answer["ok"] and answer["code"] == "unreachable" and answer["mend"], answer
    nowhere = daemon.connect().ask("directory")["domains"][0]
    assert not nowhere["reachable"] and nowhere["error"], nowhere
    daemon.finish()
