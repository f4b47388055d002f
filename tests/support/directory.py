"""A small directory behind a stand-in for authd (support/fake_authd.py): what its asks answer, without a domain controller."""

import fnmatch

DOMAIN, SUB = "S-1-5-21-1-2-3", "S-1-5-21-7-8-9"


class Directory:
    """objects: {sid: [name, kind, disabled]}; inside: {sid of a group: sids of its members}. away: why asks about the directory fail."""

    def __init__(self):
        self.objects = {
            f"{DOMAIN}-1104": ["CORP\\Exchange Servers", "group", False], f"{DOMAIN}-1120": ["CORP\\FS01$", "computer", False],
            f"{DOMAIN}-1121": ["CORP\\FS02$", "computer", False], f"{DOMAIN}-1130": ["CORP\\EXCH1$", "computer", False],
            f"{DOMAIN}-1131": ["CORP\\EXCH2$", "computer", False], f"{DOMAIN}-1132": ["CORP\\EXCH3$", "computer", True],
            f"{DOMAIN}-1140": ["CORP\\Mail Team", "distribution", False], f"{DOMAIN}-1150": ["CORP\\svc-sp", "user", False],
            f"{DOMAIN}-1160": ["CORP\\New Servers", "group", False],
            f"{SUB}-1120": ["SUB\\FS01$", "computer", False], f"{SUB}-1150": ["SUB\\svc-sp", "user", False]}
        self.inside = {f"{DOMAIN}-1104": [f"{DOMAIN}-1130", f"{DOMAIN}-1131", f"{DOMAIN}-1132"], f"{DOMAIN}-1140": [f"{DOMAIN}-1150"],
                       f"{DOMAIN}-1160": [f"{DOMAIN}-1121", f"{DOMAIN}-1130"]}
        self.away = None

    def __call__(self, question):
        if self.away and question["ask"] in ("find", "search", "members", "groups", "accounts"):
            return self.away
        return getattr(self, question["ask"])(question)

    def row(self, sid):
        name, kind, disabled = self.objects[sid]
        return {"sid": sid, "kind": kind, "name": name, "dn": f"CN={name}", "disabled": disabled}

    def find(self, question):
        text = question["text"].lower()
        if text.startswith("nowhere\\"):
            return {"ok": False, "code": "unknown-domain", "error": "NOWHERE is none of the domains in realms: CORP.TEST", "mend": "correct the domain"}
        found = [self.row(sid) for sid, (name, _, _) in self.objects.items() if text in (sid.lower(), name.lower(), name.split("\\")[1].lower())]
        if not found and any(name.lower().endswith(text + "$") for name, _, _ in self.objects.values()):
            full = next(name for name, _, _ in self.objects.values() if name.lower().endswith(text + "$"))
            return {"ok": True, "objects": [], "hint": f"{full} is a computer account: write {full}, with the dollar"}
        return {"ok": True, "objects": found, **({} if found else {"hint": "no object with this SID is in the directory"} if text.startswith("s-1-") else {})}

    def search(self, question):
        found = [self.row(sid) for sid, (name, _, _) in self.objects.items() if fnmatch.fnmatch(name.split("\\")[1].lower(), question["pattern"].lower())]
        return {"ok": True, "objects": found[:question["limit"]], "truncated": len(found) > question["limit"]}

    def members(self, question):
        if question["sid"] not in self.objects:
            return {"ok": False, "code": "gone", "error": "there is no such object", "mend": ""}
        inside = self.inside.get(question["sid"], [])
        return {"ok": True, "members": [sid for sid in inside if not self.objects[sid][2]],
                "disabled": [sid for sid in inside if self.objects[sid][2]], "truncated": False}

    def groups(self, question):
        if question["sid"] not in self.objects:
            return {"ok": False, "code": "gone", "error": "there is no such object", "mend": ""}
        return {"ok": True, "account": self.row(question["sid"]), "truncated": False,
                "groups": [group for group, inside in self.inside.items() if question["sid"] in inside and self.objects[group][1] == "group"]}

    def path(self, question):
        """In this directory groups are in no groups."""
        direct = question["sid"] in self.inside.get(question["group"], [])
        return {"ok": True, "path": [self.objects[sid][0] for sid in (question["sid"], question["group"])] if direct else []}

    def accounts(self, question):
        return {"ok": True, "accounts": [{"sid": sid, "found": sid in self.objects, "disabled": self.objects.get(sid, ["", "", False])[2],
                                          **({"name": self.objects[sid][0]} if sid in self.objects else {})} for sid in question["sids"]]}

    def status(self, _):
        return {"ok": True, "version": "0.1", "running_s": 77, "threads": 4, "queue": 1024, "kerberos": True, "ntlm": False, "accepted": 12,
                "refused": {"NO_KEY_FOR_SPN": 3}, "asked": 4, "authenticators_remembered": 5}

    def keytab(self, _):
        return {"ok": True, "path": "/etc/rms-connector/http.keytab", "state": "good", "read_s": 1790000000,
                "keys": [{"principal": "HTTP/rms.corp.test@CORP.TEST", "kvno": 3, "enctype": "aes256-cts-hmac-sha1-96", "enctype_number": 18,
                          "weak": False, "made_s": 1780000000}],
                "problems": [{"problem": "every user of this machine may read the keytab", "mend": "chmod o-rwx it"}]}

    def directory(self, _):
        domains = [{"realm": "CORP.TEST", "reachable": True, "netbios": "CORP", "sid": DOMAIN, "controller": "dc1.corp.test", "took_ms": 3}]
        if self.away:
            domains = [{"realm": "CORP.TEST", "reachable": False, "error": self.away["error"], "mend": self.away["mend"]}]
        return {"ok": True, "domains": domains}

    def ntlm(self, _):
        return {"ok": True, "on": False, "ready": False, "missing": [{"what": "there is no /usr/bin/ntlm_auth", "mend": "apt-get install winbind"}]}


AWAY = {"ok": False, "code": "unreachable", "error": "no controller of CORP.TEST answers", "mend": "check DNS and port 389"}
