"""rms-connector-authd on the lab's member machine, and its wire as a node would speak it."""

import base64
import pathlib

from support.adlab import people
from support.authd import CONTINUE, DONE, REFUSED, Authd, Link  # noqa: F401  (outcomes, for the tests)
from support.wait import eventually


class Wire(Link):
    """One question after the other."""

    def __init__(self, path):
        super().__init__(path, seconds=30)
        self.features = self.hello()

    def ask(self, name, **more):
        return super().ask(ask=name, **more)

    def token(self, token, conversation=0):
        return self.prove(token, wait_ms=20000, conversation=conversation)


class Daemon(Authd):
    """auth: settings of that section. realms: rows of the settings. env: more of the environment, or other values."""

    def __init__(self, lab, folder, realms=None, env=None, **auth):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if realms is None:
            realms = [{"name": people.CORP.realm}, {"name": people.PARTNER.realm}]
        super().__init__(lab.env(**(env or {})), {"keytab": str(lab.keytab), **auth}, realms, wrap=lab.wrap(), folder=folder)
        self.start()

    def connect(self):
        self.links.append(eventually(lambda: Wire(self.socket), 10))
        return self.links[-1]

    def finish(self):
        code = self.end()
        super().finish()
        assert code == 0


def kerberos_token(lab, cache, service=people.SERVICE):
    """What a caller with these credentials would send under Negotiate: made by MIT's own library."""
    script = ("import gssapi, base64, sys\n"
              "name = gssapi.Name(sys.argv[1], gssapi.NameType.kerberos_principal)\n"
              "spnego = gssapi.OID.from_int_seq('1.3.6.1.5.5.2')\n"
              "context = gssapi.SecurityContext(name=name, usage='initiate', mech=spnego, flags=gssapi.RequirementFlag.mutual_authentication)\n"
              "print(base64.b64encode(context.step()).decode())\n")
    return base64.b64decode(lab.must("/usr/bin/python3", "-c", script, f"{service}@{people.CORP.realm}", KRB5CCNAME=cache))
