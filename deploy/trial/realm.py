"""A throw-away Kerberos realm (MIT's KDC, on loopback, as whoever runs the quickstart) and the accounts that call. It stands for the Active Directory;
having no groups and no SIDs, it is a realm without directory to the nodes: its accounts are listed by their principal names."""

import json
import os
import re
import subprocess

from parts import HOST, Part, Trouble, find, free_port, run_tool

REALM = "CORP.TEST"
NAME = "rmsconnector.corp.test"  # what callers' URLs say: the name of the balancer
SPN = f"HTTP/{NAME}"
CALLERS = {"exchange": "EXCH01$", "sharepoint": "svc-sharepoint", "fci": "FS01$"}
STRANGER = "intern"
ACCOUNTS = (*CALLERS.values(), STRANGER)
LASTS = "7d"
PATH = "/_wmcs/licensing/server.asmx"
HEADERS = ("Content-Type: text/xml; charset=utf-8", 'SOAPAction: "http://microsoft.com/DRM/ServerService/GetServerInfo"')
SERVER_INFO = ('<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
               '<GetServerInfo xmlns="http://microsoft.com/DRM/ServerService"><requests><ServerInfoRequest><Type>VersionInfo</Type>'
               "</ServerInfoRequest></requests></GetServerInfo></soap:Body></soap:Envelope>")


def principal(account):
    return f"{account}@{REALM}"


def cache(folder, account):
    return f"FILE:{folder}/{account.strip('$')}.ticket"


def client_env(folder, account):
    """Who starts a program with this is that account."""
    return {"KRB5_CONFIG": str(folder / "krb5.conf"), "KRB5CCNAME": cache(folder, account)}


class Realm:
    def __init__(self, place):
        folder = place.folder
        self.folder, self.port, self.keytab = folder, free_port(18088), folder / "http.keytab"
        (folder / "krb5.conf").write_text(f"""[libdefaults]
  default_realm = {REALM}
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  ticket_lifetime = {LASTS}
[realms]
  {REALM} = {{
    kdc = {HOST}:{self.port}
  }}
""")
        (folder / "kdc.conf").write_text(f"""[kdcdefaults]
  kdc_ports = ""
  kdc_tcp_listen = {HOST}:{self.port}
[realms]
  {REALM} = {{
    database_name = {folder}/kdc.db
    key_stash_file = {folder}/kdc.stash
    acl_file = {folder}/kdc.acl
    max_life = {LASTS}
  }}
[logging]
  kdc = FILE:{folder}/kdc.log
  admin_server = FILE:{folder}/kdc.log
""")
        (folder / "request.xml").write_text(SERVER_INFO)
        self.env = {"KRB5_CONFIG": str(folder / "krb5.conf"), "KRB5_KDC_PROFILE": str(folder / "kdc.conf")}
        self.kdc = Part("krb5kdc", [find("krb5kdc"), "-n", "-r", REALM], place, self.env)

    def admin(self, query):
        return run_tool(find("kadmin.local"), "-r", REALM, "-q", query, env=self.env)

    def start(self):
        run_tool(find("kdb5_util"), "create", "-s", "-r", REALM, "-P", os.urandom(16).hex(), env=self.env)
        self.admin(f"addprinc -randkey {SPN}")
        self.admin(f"ktadd -k {self.keytab} {SPN}")
        for account in ACCOUNTS:
            self.admin(f"addprinc -randkey {account}")
            self.admin(f"ktadd -k {self.folder}/accounts.keytab {account}")
        self.kdc.start()
        self.kdc.wait_until(lambda: "commencing operation" in self.said())
        for account in ACCOUNTS:
            run_tool(find("kinit"), "-k", "-t", self.folder / "accounts.keytab", "-c", cache(self.folder, account), principal(account), env=self.env)

    def said(self):
        log = self.folder / "kdc.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def write_list(self, roles):
        """The list of authorized servers, one file for both nodes, replaced in one step."""
        kinds = {role: "computer" if account.endswith("$") else "user" for role, account in CALLERS.items()}
        entries = ",\n  ".join(json.dumps({"principal": principal(CALLERS[role]), "role": role, "kind": kinds[role], "added": "2026-01-01T00:00:00Z"})
                               for role in roles)
        fresh = self.folder / "list.new"
        fresh.write_text(f'{{"version": 1, "entries": [\n  {entries}\n]}}\n')
        fresh.replace(self.folder / "list.json")


# ---- what a caller sees: curl, with the ticket of that account ----

def curl_words(folder, port, *more):
    """How to ask a node who you are to it: the command for a terminal in which KRB5_CONFIG and KRB5CCNAME are set."""
    headers = [word for line in HEADERS for word in ("-H", line)]
    return ["curl", *more, "--negotiate", "-u", ":", *headers, "--data-binary", f"@{folder}/request.xml", "--resolve", f"{NAME}:{port}:{HOST}",
            f"http://{NAME}:{port}{PATH}"]


def ask(folder, port, account):
    """(status or 0, words) of one request on a new connection."""
    command = curl_words(folder, port, "-sS", "--max-time", "20", "-D", "-", "-w", "\n%{http_code} %{time_total}")
    done = subprocess.run(command, env={**os.environ, **client_env(folder, account)}, capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, timeout=30)
    if done.returncode == 7:
        return 0, "no answer (connection refused)"
    if done.returncode:
        return 0, f"no answer ({done.stderr.strip()})"
    try:
        text, _, last = done.stdout.rpartition("\n")
        status, took = int(last.split()[0]), float(last.split()[1]) * 1000
        head, _, body = text.replace("\r", "").rpartition("HTTP/1.1 ")[2].partition("\n\n")
    except (ValueError, IndexError):
        raise Trouble(f"curl said what was not expected: {done.stdout[-500:]!r}") from None
    if status == 200:
        return 200, f"200 in {took:.0f} ms, the answer of the service"
    fault = re.search(r"<faultstring[^>]*>([^<]*)<", body)
    words = fault.group(1) if fault else body.lstrip().split("\n", maxsplit=1)[0][:160]
    again = re.search(r"^Retry-After: *(\S+)", head, re.M | re.I)
    return status, f"{status} in {took:.0f} ms: {words}" + (f"; Retry-After: {again.group(1)}" if again else "")
