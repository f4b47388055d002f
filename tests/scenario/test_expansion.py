"""What no ticket shows, or shows too long, is asked of the directory ahead: here one that does what a test says, behind a stand-in for authd."""

import json
import re
import signal

import pytest

from support import soap
from support.fake_authd import DOMAIN, FakeAuthd, done, kerberos, word_in
from support.wait import eventually, never

CERTIFY = soap.CERTIFY
DIST, STAFF, BANNED = 2001, 2002, 2003
EXCH, SHARE, GUEST = 1001, 1002, 1003
RIDS = {"exch": EXCH, "share": SHARE, "guest": GUEST}


def sid(rid):
    return f"{DOMAIN}-{rid}"


def trouble(code, error):
    return {"ok": False, "code": code, "error": error, "mend": "mend it"}


class Directory:
    """members: {group: accounts}; groups: {account: groups}; disabled, gone: accounts. away: nothing is told."""

    def __init__(self):
        self.members, self.groups, self.disabled, self.gone, self.away, self.truncated = {}, {}, set(), set(), None, False

    def __call__(self, question):
        if self.away:
            return {**self.away}
        return getattr(self, "ask_" + question["ask"])(question)

    @staticmethod
    def rid(question):
        return int(question["sid"].rsplit("-", 1)[1])

    def ask_members(self, question):
        rid = self.rid(question)
        if rid in self.gone:
            return trouble("gone", "CORP has no such object any more")
        return {"ok": True, "members": [sid(one) for one in self.members.get(rid, [rid])], "disabled": [], "truncated": self.truncated}

    def ask_groups(self, question):
        rid = self.rid(question)
        if rid in self.gone:
            return trouble("gone", "CORP has no such object any more")
        return {"ok": True, "account": {"sid": sid(rid), "disabled": rid in self.disabled}, "truncated": False,
                "groups": [sid(one) for one in self.groups.get(rid, [])]}

    def ask_accounts(self, question):
        rids = [int(one.rsplit("-", 1)[1]) for one in question["sids"]]
        return {"ok": True, "accounts": [{"sid": sid(rid), "found": rid not in self.gone, "disabled": rid in self.disabled} for rid in rids]}


AWAY = trouble("unreachable", "no controller of CORP.TEST answers")


@pytest.fixture
def place(node, cloud, tmp_path):
    """place(entries, deny): a node with a list and a directory; tickets show the groups of .shown"""
    made = []

    def make(entries, deny=(), directory=None, ready=True, **settings):
        directory = directory or Directory()
        shown = {}
        authd = FakeAuthd(tmp_path / "authd.sock", lambda request: done(word_in(request.token), RIDS[word_in(request.token)],
                                                                         groups=shown.get(word_in(request.token), ())), directory)
        made.append(authd)
        (tmp_path / "state").mkdir(exist_ok=True)
        file = tmp_path / "list.json"

        def write(entries, deny=()):
            rows = [{"sid": sid(rid), "role": role, "kind": kind, "added": f"2026-01-0{i + 1}T00:00:00Z"} for i, (rid, role, kind) in enumerate(entries)]
            kept_out = [{"sid": sid(rid), "kind": kind} for rid, kind in deny]
            file.with_suffix(".new").write_text(json.dumps({"version": 1, "entries": rows, "deny": kept_out}))
            file.with_suffix(".new").rename(file)
        write(entries, deny)
        relay = node(cloud(), caller=None, start=False, settings={
            "auth.socket": authd.path, "list.file": str(file), "node.state_directory": str(tmp_path / "state"),
            **{f"list.{name}": value for name, value in settings.items()}})
        relay.directory, relay.shown, relay.write, relay.authd = directory, shown, write, authd
        relay.start(ready=ready)
        return relay
    yield make
    for one in made:
        one.stop()
        assert not one.problems, one.problems


def post(name=None):
    return soap.request(CERTIFY, headers=[kerberos(name)] if name else [])


def status(relay, name):
    return relay.ask(post(name)).status


def detail(relay):
    return eventually(lambda: relay.request_log()[-1]["detail"])


LIST = [(DIST, "sharepoint", "distribution"), (SHARE, "fci", "user")]


# ---- groups that no ticket shows ----

def test_members_of_a_distribution_group_are_let_in_until_they_leave(place):
    """C07"""
    directory = Directory()
    directory.members[DIST] = [EXCH]
    relay = place(LIST, directory=directory)
    with relay.caller() as exch:
        assert exch.ask(post("exch")).status == 200
        assert status(relay, "share") == 200 and status(relay, "guest") == 403
        assert [row.get("role") for row in relay.logged(3)] == ["sharepoint", "fci", None]
        directory.members[DIST] = [GUEST]
        relay.signal(signal.SIGHUP)
        eventually(lambda: exch.ask(post()).status == 403)
        assert status(relay, "guest") == 200
    assert not relay.events(3001)


def test_the_period_of_the_list_is_the_directorys_too(place):
    """C07 C23: list.refresh_s"""
    relay = place(LIST, refresh_s=1)
    assert status(relay, "exch") == 403
    relay.directory.members[DIST] = [EXCH]
    eventually(lambda: status(relay, "exch") == 200, 10, pause=0.2)


def test_while_nobody_knows_who_is_in_it_callers_are_deferred(place):
    """C07: 429 with its own reason; who is on the list by itself goes on; 3001 with the cause."""
    directory = Directory()
    directory.members[DIST] = [EXCH]
    directory.away = AWAY
    relay = place(LIST, directory=directory)
    text = relay.event(3001)["text"]
    assert sid(DIST) in text and "no controller of CORP.TEST answers; mend it" in text and "429" in text
    assert relay.metric("list_members_unknown") == 1 and relay.stats()["authorized_servers"]["members_unknown"] == 1
    for name in ("exch", "guest"):
        got = relay.ask(post(name))
        assert got.status == 429 and got.header("Retry-After")
        assert "who is in a group on the list" in detail(relay)
    assert status(relay, "share") == 200
    directory.away = None
    relay.signal(signal.SIGHUP)
    eventually(lambda: status(relay, "exch") == 200)
    assert status(relay, "guest") == 403
    assert relay.metric("list_members_unknown") == 0 and relay.stats()["authorized_servers"]["members_unknown"] == 0


def test_groups_beyond_those_that_are_asked_about_are_named(place):
    """C07: 2,000 of them; the event names the rest, and who might be in them is deferred."""
    directory = Directory()
    directory.ask_members = lambda question: {"ok": True, "members": [], "disabled": [], "truncated": False}
    relay = place(LIST, deny=[(50000 + i, "distribution") for i in range(2002)], directory=directory)
    text = relay.event(3001, 30)["text"]
    assert "more than 2000 groups" in text and "429" in text
    named = re.search(r"not asked about 3: (\S+), (\S+), (\S+)\. Callers", text).groups()
    assert named[2] == sid(DIST) and not set(named) & {one.get("sid") for one in relay.authd.questions}
    assert relay.metric("list_members_unknown") == 3 and len(relay.events(3001)) == 1
    assert status(relay, "share") == 429 and "denied group" in detail(relay)
    relay.write(LIST, deny=[(50000 + i, "distribution") for i in range(1998)] + [(60000, "group"), (60001, "user")])
    relay.signal(signal.SIGHUP)
    eventually(lambda: status(relay, "share") == 200, 30)
    assert relay.metric("list_members_unknown") == 0


def test_what_was_known_stays_in_force_when_the_directory_is_away(place):
    """C07 D03: up to list.max_age_s; then 429, and never a final answer."""
    directory = Directory()
    directory.members[DIST] = [EXCH]
    relay = place(LIST, directory=directory, max_age_s=3, refresh_s=1)
    assert status(relay, "exch") == 200
    directory.away = AWAY
    assert "stays in force" in relay.event(3001)["text"]
    assert status(relay, "exch") == 200 and status(relay, "guest") == 403
    eventually(lambda: status(relay, "exch") == 429 and status(relay, "guest") == 429, 10, pause=0.1)
    assert status(relay, "share") == 200
    directory.away = None
    eventually(lambda: status(relay, "exch") == 200 and status(relay, "guest") == 403, 10, pause=0.1)


def test_what_was_known_survives_a_restart(place):
    """C07 D04: kept with the list in node.state_directory."""
    directory = Directory()
    directory.members[DIST] = [EXCH]
    directory.disabled = {GUEST}
    relay = place(LIST + [(GUEST, "fci", "user")], directory=directory)
    assert status(relay, "exch") == 200
    eventually(lambda: status(relay, "guest") == 403)
    relay.stop()
    directory.away = AWAY
    relay.start()
    relay.event(3001)
    assert status(relay, "exch") == 200 and status(relay, "share") == 200
    assert status(relay, "guest") == 403, "C24: disabled is what the directory said last"
    assert "disabled" in detail(relay)


def test_what_was_kept_too_long_is_not_used(place):
    """C07 D04"""
    directory = Directory()
    directory.members[DIST] = [EXCH]
    relay = place(LIST, directory=directory, max_age_s=2)
    assert status(relay, "exch") == 200
    relay.stop()
    directory.away = AWAY
    never(lambda: False, 3.1)  # its age is what is tested
    relay.start()
    assert status(relay, "exch") == 429


@pytest.mark.parametrize("answer, said", [
    ({"ok": True, "members": ["S-1-5-21-1-2-3-1001"], "disabled": [], "truncated": True}, "more than 20000 members"),
    ({"ok": True, "members": [sid(10000 + i) for i in range(20001)], "disabled": [], "truncated": False}, "more than 20000 members"),
    ({"ok": True, "members": ["S-1-5-21-1-2-3-1001", "nobody"], "disabled": [], "truncated": False}, "not understood"),
    ({"ok": True}, "names no members"),
    (trouble("unknown-domain", "none of the domains in realms"), "none of the domains in realms"),
    ({"ok": False, "error": "authd has too many questions to answer at once", "mend": "ask again in a moment"}, "too many questions"),
    (None, None)])
def test_an_answer_that_is_none_is_never_believed(place, answer, said):
    """C07: too many members, nonsense, other domains, silence."""
    directory = Directory()
    directory.ask_members = lambda question: answer
    relay = place(LIST, directory=directory, ready=answer is not None)
    if said:
        assert said in relay.event(3001)["text"]
    else:
        eventually(lambda: relay.get_stats("/readyz")[0] == 503 and "directory is asked" in relay.stats()["not_ready_reason"])
        eventually(lambda: relay.get_stats("/readyz")[0] == 200, 20)  # it does not wait for ever
    assert status(relay, "exch") == 429 and status(relay, "share") == 200


def test_an_authd_that_dies_meanwhile(place):
    """C07: the questions end, what was known stays, and the next period asks again."""
    directory = Directory()
    directory.members[DIST] = [EXCH]
    relay = place(LIST, directory=directory, refresh_s=1)
    with relay.caller() as exch:
        assert exch.ask(post("exch")).status == 200
        relay.authd.die()
        assert "rms-connector-authd" in relay.event(3001)["text"]
        assert exch.ask(post()).status == 200
        relay.authd.start()
        directory.members[DIST] = []
        eventually(lambda: exch.ask(post()).status == 403, 10, pause=0.2)


def test_an_entry_of_unknown_kind_may_be_such_a_group(place):
    """C07 C27: a raw SID; when the directory has told that it is an account or gone, nobody waits for it."""
    directory = Directory()
    directory.gone = {STAFF}
    directory.members[DIST] = [EXCH]
    relay = place([(DIST, "fci", "unknown"), (SHARE, "fci", "unknown"), (STAFF, "fci", "unknown")], directory=directory)
    assert [status(relay, name) for name in ("exch", "share", "guest")] == [200, 200, 403]


# ---- denials ----

def test_a_denied_distribution_group_wins(place):
    """C07: over an entry of the account itself; whoever might be in one that is not known is deferred."""
    directory = Directory()
    directory.members[BANNED] = [SHARE]
    relay = place(LIST, deny=[(BANNED, "distribution")], directory=directory)
    assert status(relay, "share") == 403 and "denied group" in detail(relay)
    directory.members[BANNED] = []
    relay.signal(signal.SIGHUP)
    eventually(lambda: status(relay, "share") == 200)
    directory.away = AWAY
    relay.write(LIST, deny=[(BANNED, "distribution"), (STAFF, "distribution")])
    relay.signal(signal.SIGHUP)
    eventually(lambda: status(relay, "share") == 429)
    assert "denied group" in detail(relay)
    assert status(relay, "guest") == 403, "whoever is on no list is refused all the same"


# ---- accounts that are disabled, groups that were left ----

GROUP_LIST = [(STAFF, "exchange", "group"), (SHARE, "fci", "user")]


@pytest.mark.parametrize("state", ["disabled", "gone"])
def test_an_account_that_is_disabled_is_refused_after_the_next_refresh(place, state):
    """C24: on a connection that stays, by an entry of its own; until the directory says otherwise, also when it is away."""
    directory = Directory()
    relay = place(LIST, directory=directory)
    with relay.caller() as share:
        assert share.ask(post("share")).status == 200
        getattr(directory, state).add(SHARE)
        relay.signal(signal.SIGHUP)
        eventually(lambda: share.ask(post()).status == 403)
        assert ("disabled" if state == "disabled" else "no longer in the directory") in detail(relay)
        directory.away = AWAY
        relay.signal(signal.SIGHUP)
        relay.event(3001)
        assert share.ask(post()).status == 403
        directory.away = None
        getattr(directory, state).clear()
        relay.signal(signal.SIGHUP)
        eventually(lambda: share.ask(post()).status == 200)


def test_a_member_that_is_disabled_is_refused(place):
    """C24: let in by a group of its ticket."""
    directory = Directory()
    directory.groups[EXCH] = [STAFF]
    relay = place(GROUP_LIST, directory=directory)
    relay.shown["exch"] = (STAFF,)
    assert status(relay, "exch") == 200
    directory.disabled.add(EXCH)
    relay.signal(signal.SIGHUP)
    eventually(lambda: status(relay, "exch") == 403)


def test_leaving_a_group_counts_although_the_ticket_shows_it(place):
    """C23: on a connection that stays, and on new ones with the old ticket; without restart."""
    directory = Directory()
    directory.groups[EXCH] = [STAFF]
    relay = place(GROUP_LIST, directory=directory)
    relay.shown["exch"] = (STAFF,)
    with relay.caller() as exch:
        assert exch.ask(post("exch")).status == 200
        eventually(lambda: {"ask": "groups", "sid": sid(EXCH)} in relay.authd.questions)
        directory.groups[EXCH] = []
        relay.signal(signal.SIGHUP)
        eventually(lambda: exch.ask(post()).status == 403)
        assert "has left the group" in detail(relay)
        assert status(relay, "exch") == 403


def test_who_is_new_with_an_old_ticket_is_asked_about_at_once(place):
    """C23: it left before this node knew it."""
    relay = place(GROUP_LIST)
    relay.shown["exch"] = (STAFF,)
    with relay.caller() as exch:
        assert exch.ask(post("exch")).status in (200, 403)
        eventually(lambda: exch.ask(post()).status == 403)
    assert "has left the group" in detail(relay)


def test_who_joins_again_is_let_in_again(place):
    """C23: the refusal is as young as the directory's answer; nobody is refused for good by an old one."""
    directory = Directory()
    relay = place(GROUP_LIST, directory=directory)
    relay.shown["exch"] = (STAFF,)
    eventually(lambda: status(relay, "exch") == 403)
    directory.groups[EXCH] = [STAFF]
    relay.signal(signal.SIGHUP)
    eventually(lambda: status(relay, "exch") == 200)


def test_the_tickets_word_counts_where_nobody_else_knows(place):
    """C23: no directory of ours has the account's domain; or it is away."""
    directory = Directory()
    directory.ask_groups = lambda question: trouble("unknown-domain", "is of none of the domains in realms")
    relay = place(GROUP_LIST, directory=directory)
    relay.shown["exch"] = relay.shown["guest"] = (STAFF,)
    with relay.caller() as exch:
        assert exch.ask(post("exch")).status == 200
        eventually(lambda: {"ask": "groups", "sid": sid(EXCH)} in relay.authd.questions)
        relay.signal(signal.SIGHUP)
        eventually(lambda: relay.authd.questions.count({"ask": "groups", "sid": sid(EXCH)}) > 1)
        assert exch.ask(post()).status == 200
    directory.ask_groups = lambda question: {**AWAY}
    assert status(relay, "guest") == 200
    relay.signal(signal.SIGHUP)
    assert "no controller" in relay.event(3001)["text"]
    assert status(relay, "guest") == 200


# ---- decisions, told ----

def test_a_decision_has_an_id_in_the_answer_and_in_the_log(place):
    """E08: what `explain` takes; the same for as long as it is the same decision, another one after a change of the list."""
    relay = place(LIST)
    with relay.caller() as guest:
        bodies = [guest.ask(post("guest")).body.decode(), guest.ask(post()).body.decode()]
        ids = [re.search(r"decision (D[0-9a-f]{16})", body).group(1) for body in bodies]
        assert ids[0] == ids[1]
        assert [row["decision"] for row in relay.logged(2)] == ids
        relay.write(LIST + [(EXCH, "fci", "user")])
        relay.signal(signal.SIGHUP)
        eventually(lambda: re.search(r"decision (D[0-9a-f]{16})", guest.ask(post()).body.decode()).group(1) != ids[0])
    assert status(relay, "share") == 200 and eventually(lambda: relay.request_log()[-1]["decision"])
    relay.stop()
    assert list(relay.folder.parent.glob("**/state/decisions"))


def test_several_entries_are_told_once_with_the_winner(place):
    """C18: a warning once for each account, with the entry that counts and another role's."""
    relay = place([(STAFF, "exchange", "group"), (BANNED, "fci", "group"), (SHARE, "fci", "user")])
    relay.shown["exch"] = (STAFF, BANNED)
    relay.directory.groups[EXCH] = [STAFF, BANNED]
    for _ in range(3):
        assert status(relay, "exch") == 200 and status(relay, "share") == 200
    text = relay.event(4032)["text"]
    assert "CORP\\exch" in text and "2 entries" in text and f"counts is {sid(STAFF)}, with the role exchange" in text
    assert f"{sid(BANNED)}: fci" in text
    assert len(relay.events(4032)) == 1
    relay.signal(signal.SIGHUP)
    assert status(relay, "exch") == 200 and len(relay.events(4032)) == 1
