"""A certification authority for one test session, by the openssl program. Everything in it ends with the session's directory."""

import pathlib
import subprocess

CONNECTOR = "rmsconnector.corp.test"
TENANT = "5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.test.localhost"


class Certs:
    """Files: ca.pem; NAME.pem (chain) and NAME.key for the names made below."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._authority("ca", "Test Root")
        self._authority("other-ca", "Unknown Root")
        self._authority("issuing", "Test Issuing", signed_by="ca")
        names = f"DNS:{CONNECTOR},DNS:localhost,IP:127.0.0.1"
        self.issue("connector-ecdsa", CONNECTOR, names, issuer="issuing")
        self.issue("connector-rsa", CONNECTOR, names, issuer="issuing", rsa=True)
        cloud = f"DNS:localhost,DNS:{TENANT},DNS:cloud.test,IP:127.0.0.1,IP:::1"
        self.issue("cloud", "localhost", cloud)
        self.issue("cloud-wrong-name", "elsewhere.test", "DNS:elsewhere.test")
        self.issue("cloud-unknown", "localhost", cloud, issuer="other-ca")
        self.issue("cloud-expired", "localhost", cloud, days=-1)
        self.issue("client", "scraper", "DNS:scraper.test", usage="clientAuth")
        self.issue("client-unknown", "scraper", "DNS:scraper.test", usage="clientAuth", issuer="other-ca")

    def path(self, name):
        return str(self.folder / name)

    @property
    def ca(self):
        return self.path("ca.pem")

    def chain(self, name):
        return self.path(f"{name}.pem")

    def key(self, name):
        return self.path(f"{name}.key")

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"openssl {' '.join(arguments)}: {done.stderr}"

    def _new_key(self, name, rsa=False):
        kind = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if rsa else \
            ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self._openssl("genpkey", *kind, "-out", f"{name}.key")

    def _authority(self, name, common_name, signed_by=None):
        self._new_key(name)
        self._sign(name, common_name, ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"], signed_by)

    def issue(self, name, common_name, alternatives, issuer="ca", rsa=False, days=30, usage="serverAuth"):
        self._new_key(name, rsa)
        self._sign(name, common_name, ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                                       f"extendedKeyUsage={usage}", f"subjectAltName={alternatives}"], issuer, days)

    def _sign(self, name, common_name, extensions, issuer, days=30):
        (self.folder / f"{name}.ext").write_text("\n".join(["subjectKeyIdentifier=hash", *extensions]) + "\n", encoding="ascii")
        self._openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={common_name}", "-out", f"{name}.csr")
        signer = ["-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key", "-CAcreateserial"] if issuer else ["-signkey", f"{name}.key"]
        # A negative number of days makes a certificate that has ended already.
        self._openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-sha256", "-days", str(days), "-extfile", f"{name}.ext",
                      "-out", f"{name}.crt")
        chain = (self.folder / f"{name}.crt").read_text(encoding="ascii")
        if issuer == "issuing":
            chain += (self.folder / "issuing.crt").read_text(encoding="ascii")
        (self.folder / f"{name}.pem").write_text(chain, encoding="ascii")
