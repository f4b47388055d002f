"""Kerberos without a KDC: a throw-away realm's files, and a ticket as a domain controller of Windows makes it, PAC and all, sealed with the service's own
key. What accepts it cannot tell the difference, and no KDC of MIT issues tickets of this size."""

import json
import os
import pathlib
import subprocess
import sys

from .problem import Problem

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))

from support import keytab  # noqa: E402  pylint: disable=wrong-import-position
from support.forge import Account, make_cache  # noqa: E402  pylint: disable=wrong-import-position

REALM, SPN = "CORP.TEST", "HTTP/rmsconnector.corp.test"
DOMAIN, OTHER = "S-1-5-21-1004336348-1177238915-682003330", "S-1-5-21-1606980848-1085031214-725345543"
LISTED = 1200                # the group that is on the list
LIFE_S = 10 * 3600
# Sized so that the token has about 6 KB: an Exchange server's account in a large company.
GROUPS, UNIVERSAL = 150, 90


class Tickets:
    def __init__(self, folder):
        self.folder = folder
        self.config, self.keytab, self.list = folder / "krb5.conf", folder / "http.keytab", folder / "list.json"
        self.config.write_text(f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n rdns = false\n")
        key = keytab.Key(f"{SPN}@{REALM}", 3, keytab.AES256, os.urandom(32))
        keytab.write(self.keytab, [key])
        account = Account("EXCH01$", "CORP", DOMAIN, 1104, 515, groups=(515, *range(LISTED, LISTED + GROUPS)),
                          extra=("S-1-18-1", *(f"{OTHER}-{rid}" for rid in range(5000, 5000 + UNIVERSAL))))
        self.cache = make_cache(folder / "exchange.cache", key, account, client=f"EXCH01$@{REALM}", ends=LIFE_S, requestor=account.sid)
        self.list.write_text(json.dumps({"version": 1, "entries": [
            {"sid": f"{DOMAIN}-{LISTED}", "role": "exchange", "added": "2026-01-01T00:00:00Z"}]}))
        self.env = {"KRB5_CONFIG": str(self.config), "KRB5CCNAME": f"FILE:{self.cache}", "KRB5RCACHENAME": "none:"}

    def accept(self, bench, *how, seconds=120):
        """One run of rms-accept: what it prints."""
        command = [bench.program("rms-accept"), "--spn", SPN, *how]
        try:
            done = subprocess.run([str(part) for part in command], env={**os.environ, **self.env}, capture_output=True, text=True,
                                  timeout=seconds, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Problem(f"rms-accept could not be run: {error}") from error
        if done.returncode:
            raise Problem(f"rms-accept ended with status {done.returncode}: {done.stderr}")
        return done.stdout

    def bare(self, bench, count=1000, threads=1, pac=False):
        """gss_accept_sec_context() and nothing else: {"accepted", "seconds", "cpu_us_each", "token_bytes"}."""
        return json.loads(self.accept(bench, "--count", count, "--keytab", self.keytab, "--threads", threads, *(["--pac"] if pac else [])))

    def line(self, bench):
        """One header that proves who calls, once."""
        return f"Authorization: Negotiate {self.accept(bench, '--count', 1, '--print').strip()}\r\n"
