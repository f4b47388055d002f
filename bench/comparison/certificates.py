"""A throw-away authority and ECDSA P-256 certificates for localhost, by the openssl command."""

import shutil
import subprocess

from .problem import Problem


class Certificates:
    def __init__(self, folder):
        if not shutil.which("openssl"):
            raise Problem("openssl is missing. On Debian: apt-get install openssl")
        self.folder = folder
        self.ca, ca_key = folder / "ca.pem", folder / "ca.key"
        self._openssl("req", "-x509", *self._key(ca_key), "-out", self.ca, "-days", "2", "-subj", "/CN=throw-away CA",
                      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.cloud = self._leaf("cloud", ca_key)
        self.proxy = self._leaf("proxy", ca_key)
        self.proxy_pair = folder / "proxy-pair.pem"  # HAProxy wants both in one file
        self.proxy_pair.write_bytes(self.proxy[0].read_bytes() + self.proxy[1].read_bytes())

    @staticmethod
    def _key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path]

    def _leaf(self, name, ca_key):
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n"
                              "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n")
        self._openssl("req", *self._key(key), "-out", request, "-subj", "/CN=localhost")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
                      "-extfile", extensions, "-out", certificate)
        return certificate, key

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Problem(f"openssl {arguments[0]} failed:\n{done.stderr}")
