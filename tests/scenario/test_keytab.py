"""The keytab as an administrator changes it: import, check, and a change of the account's password in a real domain under load."""

import base64
import itertools
import json
import os
import shutil
import stat
import threading

import jsonschema
import pytest

from support import keytab
from support.ctl import ctl, rows as rows_of_ctl
from support.adlab import people
from support.adlab.daemon import Daemon
from support.authd import Authd
from support.load import Load, load
from support.node import ROOT
from support.realm import Realm
from support.upstream import answer
from support.wait import eventually

NUMBERS = itertools.count(1)


def text_of(path):
    return base64.b64encode(path.read_bytes()).decode()


# ---- import; a realm without directory is enough ----

SPN = "HTTP/rms.corp.test"
OLD = [keytab.Key(f"{SPN}@CORP.TEST", 3, keytab.AES256, bytes(range(32))), keytab.Key("svc@CORP.TEST", 3, keytab.AES256, bytes(range(32)))]
NEW = [keytab.Key(f"{SPN}@CORP.TEST", 4, keytab.AES256, bytes(range(1, 33))), OLD[1]]


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    made = Realm(tmp_path_factory.mktemp("realm"))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def one(realm, tmp_path):
    """authd with OLD in its keytab; .file is that."""
    file = keytab.write(tmp_path / "http.keytab", OLD)
    authd = Authd(realm.env, {"keytab": str(file), "threads": 1}, [{"name": "CORP.TEST", "directory": False}])
    authd.start()
    authd.file = file
    yield authd
    authd.finish()


def command(relay, *words, expect=0, **how):
    """What rms-connectorctl auth ... answers, as its schema says; else its words of refusal."""
    done = ctl("--json", "auth", *map(str, words), relay=relay, **how)
    assert done.returncode == expect, done
    answer = json.loads(done.stdout)
    schema = json.loads((ROOT / "docs/admin.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(answer, schema)
    if expect:
        return answer["error"] + "; " + answer["mend"]
    name = next(row for row in rows_of_ctl() if f"auth {' '.join(map(str, words))} ".startswith(f"{row} "))
    jsonschema.validate(answer["result"], {**schema["definitions"][name], "definitions": schema["definitions"]})
    return answer["result"], "\n".join(answer["says"])


@pytest.fixture
def administered(node, cloud, tmp_path):
    """administered(socket of authd, ...): a node that rms-connectorctl reaches."""
    def make(authd, number=0, upstream=None, **settings):
        (tmp_path / f"state{number}").mkdir()
        (tmp_path / "empty.json").write_text('{"version": 1, "entries": []}')
        relay = node(upstream or cloud(), caller=None, settings={
            "auth.socket": str(authd), "admin.socket": str(tmp_path / f"admin{number}"), "node.state_directory": str(tmp_path / f"state{number}"),
            "list.file": str(tmp_path / "empty.json"), **settings})
        relay.socket = str(tmp_path / f"admin{number}")
        return relay
    return make


def rows(path):
    return sorted((key.principal, key.kvno, key.enctype, key.key) for key in keytab.read(path))


def test_imported_keys_go_beside_the_old(one, tmp_path):
    one.file.chmod(0o640)
    told = one.link().ask(ask="keytab_import", keytab=text_of(keytab.write(tmp_path / "new", NEW)), keep_old=True)
    assert told == {"ok": True, "added": 1, "same": 1, "conflicts": 0, "gone": 0, "keys": 3}
    assert rows(one.file) == sorted((key.principal, key.kvno, key.enctype, key.key) for key in [*OLD, NEW[0]])
    assert stat.S_IMODE(one.file.stat().st_mode) == 0o640 and not (one.file.parent / "http.keytab.new").exists()
    assert {key["kvno"] for key in one.link().ask(ask="keytab")["keys"]} == {3, 4}, "and they are in use"
    one.says("the keytab was changed by administration: 1 keys added, 0 taken out")
    told = one.link().ask(ask="keytab_import", keytab=text_of(keytab.write(tmp_path / "new", NEW)), keep_old=False)
    assert told["gone"] == 1 and len(rows(one.file)) == 2


def test_what_is_no_keytab_or_has_no_service_is_refused(one, tmp_path):
    before = one.file.read_bytes()
    whole = keytab.write(tmp_path / "new", NEW).read_bytes()
    for given, words in ((b"", "empty"), (b"hello, this is no keytab", "not a valid keytab"), (whole[:-3], "not a valid keytab"), (whole[:2], "holds no key"),
                         (keytab.write(tmp_path / "none", OLD[1:]).read_bytes(), "holds no key of HTTP/NAME")):
        told = one.link().ask(ask="keytab_import", keytab=base64.b64encode(given).decode(), keep_old=True)
        assert not told["ok"] and words in told["error"] and told["mend"], told
    assert not one.link().ask(ask="keytab_import", keytab="no base64!", keep_old=True)["ok"]
    assert one.file.read_bytes() == before


def test_a_keytab_that_cannot_be_read_is_not_written_over(one, tmp_path):
    one.file.write_bytes(one.file.read_bytes()[:-5])
    before, fresh = one.file.read_bytes(), text_of(keytab.write(tmp_path / "new", NEW))
    assert not one.link().ask(ask="keytab_import", keytab=fresh, keep_old=True)["ok"] and one.file.read_bytes() == before
    assert one.link().ask(ask="keytab_import", keytab=fresh, keep_old=False)["ok"] and len(rows(one.file)) == 2
    one.file.unlink()
    assert one.link().ask(ask="keytab_import", keytab=fresh, keep_old=True)["ok"] and len(rows(one.file)) == 2


def test_an_administrator_sees_and_imports_keys(one, administered, tmp_path):
    relay = administered(one.socket)
    shown, _ = command(relay, "keytab", "show")
    assert shown["path"] == str(one.file) and shown["state"] == "good" and shown["problems"] == 0
    assert [(key["principal"], key["kvno"], key["weak"]) for key in shown["keys"]] == [(key.principal, 3, False) for key in OLD]
    done, says = command(relay, "keytab", "import", keytab.write(tmp_path / "new", NEW), "--keep-old")
    assert (done["added"], done["keys"]) == (1, 3) and "1 keys are new" in says
    assert "not a valid keytab" in command(relay, "keytab", "import", one.config, expect=65)
    told, says = command(relay, "ntlm", "status")
    assert not told["on"] and "NTLM is off" in says
    lines = [json.loads(line) for line in (tmp_path / "state0/audit.jsonl").read_text().splitlines()]
    assert [(line["what"], line["after"]) for line in lines] == [("auth keytab import", {"keep_old": True}), ("auth keytab import", {"keep_old": False})]
    for words in (("keytab", "rotate"), ("keytab", "rotate", "--prepare", "--verify"), ("keytab", "rotate", "--switch", "--admin", "x")):
        command(relay, *words, expect=64)
    words = ctl("auth", "keytab", "show", relay=relay).stdout
    assert "HTTP/rms.corp.test@CORP.TEST" in words and "aes256-cts-hmac-sha1-96" in words
    one.end()
    assert "no connection to rms-connector-authd" in (told := command(relay, "keytab", "show", expect=69)) or "systemctl" in told, told


@pytest.mark.skipif(os.geteuid() != 0, reason="takes rights away")
def test_a_folder_that_authd_may_not_write_is_told(realm, tmp_path):
    folder = tmp_path / "fixed"
    folder.mkdir()
    file = keytab.write(folder / "http.keytab", OLD)
    folder.chmod(0o555)
    os.chown(folder, 65534, 65534)
    authd = Authd(realm.env, {"keytab": str(file)}, [{"name": "CORP.TEST", "directory": False}],
                  wrap=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    authd.start()
    told = authd.link().ask(ask="keytab_import", keytab=text_of(keytab.write(tmp_path / "new", NEW)), keep_old=True)
    assert not told["ok"] and "Permission denied" in told["error"] and "auth.keytab" in told["error"], told
    assert rows(file) == rows(keytab.write(tmp_path / "same", OLD))
    authd.finish()


def test_a_change_needs_a_directory(realm, one):
    realm.add_service(SPN)
    keytab.write(one.file, realm.keys(SPN))
    told = one.link().ask(ask="keytab_prepare")
    assert not told["ok"] and "no realm with a directory" in told["error"], told
    assert one.link().ask(ask="keytab_verify")["error"] == "the keys of the next password (kvno 2) are not in the keytab"
    for step in ("switch", "abandon"):
        assert "no change is prepared here" in one.link().ask(ask=f"keytab_{step}")["error"]
    assert not (one.file.parent / "http.keytab.rotation").exists()


# ---- a real domain ----

class Account:
    """A service account of its own, so that its password can be changed: .service is its name, .file a keytab with its keys."""

    def __init__(self, lab, folder, enctypes="24"):
        self.lab, self.name, self.password = lab, f"svc-{os.getpid()}-{next(NUMBERS)}", "Rot.Passw0rd1"
        self.service, self.file = f"HTTP/{self.name}.corp.test", folder / f"{self.name}.keytab"
        lab.directory("user", "create", self.name, self.password)
        self.modify("replace: servicePrincipalName", f"servicePrincipalName: {self.service}",
                    *(["-", "replace: msDS-SupportedEncryptionTypes", f"msDS-SupportedEncryptionTypes: {enctypes}"] if enctypes else []))
        lab.directory("user", "setpassword", self.name, "--newpassword", self.password)
        self.export()

    def modify(self, *lines, account=None, database="sam.ldb"):
        text = "\n".join([f"dn: CN={account or self.name},CN=Users,DC=corp,DC=test", "changetype: modify", *lines, ""])
        self.lab.must("ldbmodify", "-H", self.lab.folder / "corp/private" / database, stdin=text)

    def export(self):
        self.file.unlink(missing_ok=True)
        for principal in (self.service, self.name):
            self.lab.must("samba-tool", "domain", "exportkeytab", self.file, "--principal", principal, "-s", self.lab.folder / "corp/etc/smb.conf")


@pytest.fixture
def account(lab, tmp_path):
    return Account(lab, tmp_path)


@pytest.fixture
def daemon(lab, tmp_path):
    """daemon(keytab): authd on the member's machine."""
    made = []

    def make(file, **how):
        made.append(Daemon(lab, tmp_path / f"authd{len(made)}", keytab=str(file), **how))
        return made[-1]
    yield make
    for authd in made:
        authd.finish()


def problems(told):
    assert told["ok"], told
    return [row["problem"] for row in told["problems"]]


def test_a_good_keytab_is_checked_against_the_kdc_and_the_directory(account, daemon):
    told = daemon(account.file).connect().ask("keytab_check", names=[f"{account.name}.corp.test"])
    assert problems(told) == [] and abs(told["skew_s"]) < 60
    row = next(row for row in told["principals"] if row["principal"] == f"{account.service}@CORP.TEST")
    assert (row["kdc"], row["kdc_enctype"], row["owners"]) == ("same key", "aes256-cts-hmac-sha1-96", [f"CORP\\{account.name}"])
    assert {"kvno": row["kdc_kvno"], "enctype": "aes256-cts-hmac-sha1-96"} in row["keys"]


def test_what_is_wrong_with_keytab_and_directory_is_named_with_its_cure(lab, account, daemon, tmp_path):
    wire = daemon(account.file).connect()
    told = wire.ask("keytab_check", names=["balanced.corp.test"])
    assert problems(told) == ["HTTP/balanced.corp.test is neither registered nor in the keytab"]
    for words in (f"setspn -S HTTP/balanced.corp.test {account.name}", "ktpass -princ HTTP/balanced.corp.test@CORP.TEST", "samba-tool domain exportkeytab",
                  "adutil", "auth keytab import FILE --keep-old"):
        assert words in told["problems"][0]["mend"]
    account.modify("add: servicePrincipalName", f"servicePrincipalName: HTTP/b-{account.name}.corp.test")
    told = wire.ask("keytab_check", names=[f"b-{account.name}.corp.test"])
    assert problems(told) == [f"HTTP/b-{account.name}.corp.test is registered, but the keytab holds no key of it"]
    assert "setspn" not in told["problems"][0]["mend"]
    # A second owner, past the domain's own check of that.
    raw = {"account": "bob", "database": "sam.ldb.d/DC=CORP,DC=TEST.ldb"}
    account.modify("replace: servicePrincipalName", f"servicePrincipalName: {account.service}", **raw)
    try:
        told = wire.ask("keytab_check")
        assert f"{account.service} is registered 2 times: " in str(problems(told)) and "CORP\\\\bob" in str(problems(told)), told
        assert "no such name" in [row.get("kdc") for row in told["principals"]]
    finally:
        account.modify("delete: servicePrincipalName", **raw)
    # A password that somebody changed by hand.
    lab.directory("user", "setpassword", account.name, "--newpassword", "An0ther.Password")
    assert "no ticket for" in str(problems(wire.ask("keytab_check")))


def test_an_account_of_rc4_alone_is_named(lab, daemon, tmp_path):
    weak = Account(lab, tmp_path, enctypes=None)
    told = daemon(weak.file).connect().ask("keytab_check")
    assert f"CORP\\{weak.name}, which owns {weak.service}, is not marked as able to use AES, so its tickets may be RC4 alone" in problems(told)


def test_a_change_is_made_in_its_order(lab, account, daemon, tmp_path):
    """Each step refuses what does not fit; the directory is asked meanwhile as before; no word of the password is in the log."""
    authd = daemon(account.file, realms=[{"name": people.CORP.realm}])
    wire = authd.connect()
    assert "no change is prepared here" in wire.ask("keytab_switch")["error"]
    old = keytab.read(account.file)
    told = wire.ask("keytab_prepare")
    assert told["ok"] and told["account"] == f"{account.name}@CORP.TEST" and told["next_kvno"] == told["kvno"] + 1, told
    state = tmp_path / f"{account.file.name}.rotation"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    password = json.loads(state.read_text())["password"]
    assert {(key.principal, key.kvno, key.key) for key in old} < {(key.principal, key.kvno, key.key) for key in keytab.read(account.file)}
    assert "a change is prepared already" in wire.ask("keytab_prepare")["error"]
    assert "was not looked at yet" in wire.ask("keytab_switch")["error"]
    # authd's own ticket is still made with the old key, also when it has none yet.
    assert daemon(account.file, realms=[{"name": people.CORP.realm}]).connect().ask("find", text="alice")["ok"]
    assert "others than those" in wire.ask("keytab_verify", fingerprint="0" * 24)["error"]
    assert wire.ask("keytab_verify", fingerprint=told["fingerprint"])["ok"]
    done = wire.ask("keytab_switch")
    assert done["ok"] and done["kvno"] == told["next_kvno"], done
    assert not state.exists() and problems(wire.ask("keytab_check")) == [] and wire.ask("find", text="alice")["ok"]
    assert password not in authd.said() and password not in json.dumps([told, done])
    # And again, from the state that this left, with an administrator's name; then one that is thrown away.
    assert wire.ask("keytab_prepare")["ok"]
    wrong = wire.ask("keytab_switch", force=True, admin="administrator", password="wrong")
    assert not wrong["ok"] and "no ticket for administrator@CORP.TEST" in wrong["error"] and "wrong" not in wrong["error"], wrong
    assert wire.ask("keytab_switch", force=True, admin="administrator", password=people.ADMINISTRATOR)["ok"]
    before = rows(account.file)
    assert wire.ask("keytab_prepare")["ok"] and rows(account.file) != before
    assert wire.ask("keytab_abandon")["gone"] == 4 and rows(account.file) == before and not state.exists()


def test_a_renamed_account_gets_keys_of_both_salts(lab, account, daemon):
    """The domain salts the next password with the new name; which it takes is known only afterwards."""
    account.modify("replace: userPrincipalName", f"userPrincipalName: Renamed-{account.name}@corp.test")
    wire = daemon(account.file, realms=[{"name": people.CORP.realm}]).connect()
    told = wire.ask("keytab_prepare")
    assert told["ok"] and told["added"] == 8, told
    assert wire.ask("keytab_verify")["ok"]
    assert wire.ask("keytab_switch")["ok"]
    assert problems(wire.ask("keytab_check")) == [] and wire.ask("find", text="alice")["ok"]


@pytest.mark.timeout(700)  # as other users of the lab: they may make the domains
def test_nobody_is_refused_while_the_password_changes(lab, account, daemon, administered, cloud, tmp_path):
    """E03: E04: two nodes with a copy of the keytab each, callers with old tickets and callers who always get new ones: no answer of 401 to a token."""
    files = [tmp_path / f"node{number}.keytab" for number in range(2)]
    for file in files:
        shutil.copy(account.file, file)
    authds = [daemon(file, realms=[{"name": people.CORP.realm}]) for file in files]
    (tmp_path / "list.json").write_text(json.dumps({"version": 1, "entries": [
        {"sid": lab.sid("RMS Connector Clients"), "role": "exchange", "added": "2026-01-01T00:00:00Z"}]}))
    upstream = cloud(lambda connection, request: connection.send(answer(body=b"x" * 3000)))
    nodes = [administered(authd.socket, number, upstream, **{"list.file": str(tmp_path / "list.json")}) for number, authd in enumerate(authds)]
    urls = [f"http://{one.listeners[0]['address']}" for one in nodes]
    known = {"KRB5_CONFIG": str(lab.folder / "krb5.conf")}
    fixed = ["--op", "AcquireLicense", "--request-bytes", 2048, "--answer-bytes", 3000, "--auth", "negotiate", "--spn", account.service, "--pattern", "exchange"]
    stop, fresh = threading.Event(), []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in known.items():
            patch.setenv(name, value)
        cache = lab.ticket("SRV1$", tmp_path)

        def come_anew():
            with lab.network():
                for number in itertools.count():
                    folder = tmp_path / f"fresh{number}"
                    folder.mkdir()
                    fresh.append(load(folder, *urls, *fixed, "--credentials", lab.ticket("SRV2$", folder), "--requests", 10, "--connections", 2))
                    if stop.is_set():
                        return
        first = load(tmp_path, *urls, *fixed, "--credentials", cache, "--requests", 20, "--connections", 4)
        long = Load(tmp_path, *urls, *fixed, "--credentials", cache, "--connections", 4, "--rate", 40, "--duration", 3600, timeout=200)
        others = threading.Thread(target=come_anew)
        others.start()
        try:
            eventually(lambda: len(fresh) >= 2, 60)
            prepared, says = command(nodes[0], "keytab", "rotate", "--prepare")
            assert f"--verify --fingerprint {prepared['fingerprint']}" in says
            assert "was not looked at" in command(nodes[0], "keytab", "rotate", "--switch", expect=65)
            assert "are not in the keytab" in command(nodes[1], "keytab", "rotate", "--verify", expect=65)
            command(nodes[1], "keytab", "import", files[0], "--keep-old")
            for one in nodes:
                command(one, "keytab", "rotate", "--verify", "--fingerprint", prepared["fingerprint"])
            switched, _ = command(nodes[0], "keytab", "rotate", "--switch")
            assert switched["kvno"] == prepared["next_kvno"] == prepared["kvno"] + 1
            before = len(fresh)
            eventually(lambda: len(fresh) >= before + 3, 60)
            for one in nodes:
                told, says = command(one, "keytab", "check")
                assert says == "the domain agrees with the keytab" and switched["kvno"] in [row["kdc_kvno"] for row in told["principals"]]
        finally:
            stop.set()
            others.join(60)
            long.process.terminate()
            long.wait()
        last = load(tmp_path, *urls, *fixed, "--credentials", cache, "--requests", 20, "--connections", 4)
    assert not others.is_alive()
    late = 0
    for done in (first, long, last, *fresh):
        # On a machine that is too busy a caller may be told to come again; none may be told that it is nobody.
        assert done.report and done["completed"] > 0 and done["authentication.refused"] == 0, done.out
        assert "200" in done["status"] and set(done["status"]) <= {"200", "429"}, done.out
        late += done["status"].get("429", 0)
        # Every other request has its answer; only a run at a rate that is ended has some that were due and had no connection yet.
        wrong = {kind: count for kind, count in done["errors_by_kind"].items() if count}
        assert set(wrong) <= ({"unsent"} if done is long else set()), wrong
        assert done["errors"] == done["status"].get("429", 0) + sum(wrong.values()), done.out
    told = [authd.connect().ask("status") for authd in authds]
    assert [one["refused"] for one in told] == [{}, {}]
    assert 0 <= sum(one["accepted"] for one in told) - sum(done["status.200"] for done in (first, long, last, *fresh)) <= late, told
