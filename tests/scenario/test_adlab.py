"""The laboratory itself: a directory that is none would make every test on top of it worthless."""

import re

from support.adlab import people


def test_accounts_get_tickets_for_the_connectors_name(lab, tmp_path):
    for account in ("alice", "SRV1$", people.GMSA):
        cache = lab.ticket(account, tmp_path)
        said = lab.must("kvno", people.SERVICE, KRB5CCNAME=cache)
        assert re.search(r"HTTP/rmsconnector\.corp\.test@CORP\.TEST: kvno = \d+", said)
        tickets = lab.must("klist", "-e", KRB5CCNAME=cache)
        assert "aes256-cts" in tickets.split("HTTP/rmsconnector", 1)[1]


def test_the_keytab_has_aes_keys_of_the_service_and_of_its_account(lab):
    keys = lab.must("klist", "-k", "-e", lab.keytab)
    for principal in (people.SERVICE, people.CONNECTOR):
        assert re.search(rf"{principal}@CORP\.TEST \(aes256-cts", keys), keys


def test_disabled_accounts_and_wrong_passwords_get_no_ticket(lab):
    wrong = lab.run("kinit", "-c", "MEMORY:", "alice@CORP.TEST", stdin="wrong\n")
    assert wrong.returncode and "Password incorrect" in wrong.stderr
    disabled = lab.run("kinit", "-c", "MEMORY:", "carol@CORP.TEST", stdin=people.password("carol") + "\n")
    assert disabled.returncode and "revoked" in disabled.stderr


def test_the_directory_answers_searches(lab, tmp_path):
    cache = lab.ticket("alice", tmp_path)
    found = lab.must("ldapsearch", "-Q", "-LLL", "-N", "-Y", "GSSAPI", "-H", "ldap://dc1.corp.test", "-b", "dc=corp,dc=test",
                     "(sAMAccountName=SharePoint Mail)", "groupType", "objectClass", KRB5CCNAME=cache)
    assert "groupType: 8" in found and "objectClass: group" in found


def test_winbind_answers_and_checks_passwords(lab):
    assert "succeeded" in lab.must("wbinfo", "-t")
    assert lab.sid("alice") in lab.must("wbinfo", "-n", "CORP\\alice")
    how = ["--domain=CORP", f"--configfile={lab.conf}"]
    lab.must("ntlm_auth", "--username=alice", f"--password={people.password('alice')}", *how)
    wrong = lab.run("ntlm_auth", "--username=alice", "--password=wrong", *how)
    assert wrong.returncode and "0xc000006a" in (wrong.stdout + wrong.stderr).lower()


def test_the_other_domain_is_trusted(lab, tmp_path):
    lab.ready("partner")
    cache = lab.ticket("gustav", tmp_path, people.PARTNER)
    assert "HTTP/rmsconnector.corp.test@CORP.TEST" in lab.must("kvno", f"{people.SERVICE}@CORP.TEST", KRB5CCNAME=cache)
