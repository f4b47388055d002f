"""A throw-away MIT realm: a KDC on loopback with files of its own, which reads nothing of the system's."""

import contextlib
import os
import shutil
import socket
import struct
import subprocess

import gssapi
import pytest

from support import keytab, net
from support.wait import eventually

KERBEROS = gssapi.MechType.kerberos
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
PASSWORD = "throw-away"


class Realm:
    """name: the realm; away: others that trust it and are trusted by it, served by the same KDC."""

    def __init__(self, folder, name="CORP.TEST", away=(), clockskew_s=300):
        if not shutil.which("krb5kdc") or not shutil.which("kadmin.local"):
            pytest.skip("no MIT KDC: apt-get install krb5-kdc krb5-admin-server krb5-user")
        self.folder, self.name, self.names = folder, name, [name, *away]
        self.port, self.kdc = net.free_port(), None
        self.config = self.write_config("krb5.conf", clockskew_s)
        sections = "".join(f" {r} = {{\n  database_name = {folder}/{r}.db\n  key_stash_file = {folder}/{r}.stash\n"
                           f"  acl_file = {folder}/acl\n  max_life = 24h\n }}\n" for r in self.names)
        (folder / "kdc.conf").write_text(f'[kdcdefaults]\n kdc_ports = ""\n kdc_tcp_listen = {net.HOST}:{self.port}\n'
                                         f"[realms]\n{sections}[logging]\n kdc = FILE:{folder}/kdc.log\n")
        self.env = {"KRB5_CONFIG": str(self.config), "KRB5_KDC_PROFILE": str(folder / "kdc.conf"), "KRB5RCACHENAME": "none:",
                    "KRB5CCNAME": f"FILE:{folder}/nobody.cache"}

    def write_config(self, name, clockskew_s=300):
        path = self.folder / name
        sections = "".join(f" {r} = {{\n  kdc = {net.HOST}:{self.port}\n }}\n" for r in self.names)
        path.write_text(f"[libdefaults]\n default_realm = {self.name}\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n"
                        f" rdns = false\n udp_preference_limit = 1\n clockskew = {clockskew_s}\n[realms]\n{sections}")
        return path

    def run(self, *words, password=None):
        done = subprocess.run([str(word) for word in words], env={**os.environ, **self.env}, capture_output=True, text=True,
                              timeout=30, input=password, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def admin(self, command, realm=None):
        return self.run("kadmin.local", "-r", realm or self.name, "-q", command)

    def start(self):
        for realm in self.names:
            self.run("kdb5_util", "create", "-s", "-r", realm, "-P", PASSWORD)
        for other in self.names[1:]:
            for realm in (self.name, other):
                for name in (f"krbtgt/{self.name}@{other}", f"krbtgt/{other}@{self.name}"):
                    self.admin(f"addprinc -pw {PASSWORD} {name}", realm)
        realms = [word for realm in self.names for word in ("-r", realm)]
        self.kdc = subprocess.Popen(["krb5kdc", "-n", *realms], env={**os.environ, **self.env},
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def up():
            assert self.kdc.poll() is None, "krb5kdc ended"
            with socket.socket() as s:
                return s.connect_ex((net.HOST, self.port)) == 0
        try:
            eventually(up, 10)
        except AssertionError:
            self.stop()
            raise
        return self

    def stop(self):
        if self.kdc:
            self.kdc.terminate()
            self.kdc.wait(10)
            self.kdc = None

    @contextlib.contextmanager
    def here(self, **more):
        """This process, and what it starts, belongs to the realm."""
        with pytest.MonkeyPatch.context() as patch:
            for key, value in {**self.env, **more}.items():
                patch.setenv(key, str(value))
            yield self

    # -- principals --

    def add_user(self, name, realm=None, options=""):
        self.admin(f"addprinc {options} -pw {PASSWORD} {name}", realm)

    def add_service(self, name, options=""):
        self.admin(f"addprinc -randkey {options} {name}")

    def change_key(self, name, options=""):
        self.admin(f"cpw -randkey {options} {name}")

    def keys(self, *names):
        """The current keys, as rows of support/keytab.py."""
        path = self.folder / "export.keytab"
        path.unlink(missing_ok=True)
        for name in names:
            self.admin(f"ktadd -norandkey -k {path} {name}")
        return keytab.read(path)

    def login(self, name, *options, realm=None, cache=None):
        """A new credential cache."""
        cache = self.folder / f"{cache or name}.cache"
        cache.unlink(missing_ok=True)
        self.run("kinit", "-c", cache, *options, f"{name}@{realm or self.name}", password=PASSWORD + "\n")
        return cache

    # -- tokens --

    def context(self, cache, service, mech=KERBEROS, binding=None):
        """An initiator that asks for mutual authentication; binding: application data of a channel binding."""
        with self.here():
            name = gssapi.Name(f"{service}@{self.name}".encode(), gssapi.NameType.kerberos_principal)
            credentials = gssapi.Credentials(usage="initiate", store={"ccache": f"FILE:{cache}"})
            flags = gssapi.RequirementFlag.mutual_authentication
            bound = None if binding is None else gssapi.raw.ChannelBindings(application_data=binding)
            return gssapi.SecurityContext(usage="initiate", name=name, creds=credentials, mech=mech, flags=flags, channel_bindings=bound)

    def token(self, cache, service, **how):
        with self.here():
            return self.context(cache, service, **how).step()


def shift_clock(cache, seconds):
    """The caller's clock is so many seconds ahead: a cache says how far its owner's clock is from the KDC's, and MIT's library goes by it."""
    data = cache.read_bytes()
    assert data[:2] == b"\x05\x04"
    head = struct.pack(">HHii", 1, 8, seconds, 0)
    old = struct.unpack(">H", data[2:4])[0]
    cache.write_bytes(data[:2] + struct.pack(">H", len(head)) + head + data[4 + old:])


def retell_times(cache, seconds):
    """The cache tells its owner that tickets begin so many seconds earlier and end so many later; the tickets themselves stay as they are, so
    a client uses what it would throw away."""
    data, at = bytearray(cache.read_bytes()), 4
    assert data[:2] == b"\x05\x04"

    def number(form):
        nonlocal at
        at += struct.calcsize(form)
        return struct.unpack(form, data[at - struct.calcsize(form):at])[0]

    def counted():
        nonlocal at
        n = number(">I")
        at += n
        return bytes(data[at - n:at])

    def principal():
        number(">I")
        count = number(">I")
        return [counted() for _ in range(count + 1)]
    at += struct.unpack(">H", data[2:4])[0]
    principal()
    while at < len(data):
        principal()
        server = principal()
        number(">H")
        counted()
        _, starts, ends, _ = struct.unpack(">4I", data[at:at + 16])
        if server[0] != b"X-CACHECONF:":
            struct.pack_into(">II", data, at + 4, starts - seconds, ends + seconds)
        at += 21
        for _ in range(2):  # addresses, authorization data
            for _ in range(number(">I")):
                number(">H")
                counted()
        counted()
        counted()
    cache.write_bytes(data)
