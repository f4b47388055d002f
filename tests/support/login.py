"""A login service for tests: OAuth 2.0 client credentials with secrets and assertions checked for real, the latter by the openssl program."""

import base64
import json
import subprocess
import tempfile
import time
import urllib.parse

from support.upstream import answer

SCOPE = "https://aadrm.com/.default"


def refusal(code, text="told by the test", status=401, error="invalid_client"):
    return status, {"error": error, "error_description": f"AADSTS{code}: {text}\r\nTrace ID: 1", "error_codes": [code]}


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Login:
    """script(connection, request) of an Upstream. say: a list of answers (status, object) that come first; then tokens."""

    def __init__(self, tenant, client, secret=None, certificate=None, expires_in=3599):
        self.tenant, self.client, self.secret, self.certificate, self.expires_in = tenant, client, secret, certificate, expires_in
        self.say, self.headers, self.asked, self.given, self.ids = [], [], [], [], set()
        self.url = None

    def __call__(self, connection, request):
        status, told = self.reply(request)
        connection.send(answer(status, json.dumps(told).encode(), headers=self.headers, content_type="application/json; charset=utf-8"))

    def reply(self, request):
        assert request.target == f"/{self.tenant}/oauth2/v2.0/token" and request.method == "POST"
        assert request.header("Content-Type") == "application/x-www-form-urlencoded"
        form = dict(urllib.parse.parse_qsl(request.body.decode("ascii"), strict_parsing=True, encoding="latin-1"))
        self.asked.append(form)
        if self.say:
            return self.say.pop(0)
        if (form["client_id"], form["scope"], form["grant_type"]) != (self.client, SCOPE, "client_credentials"):
            return refusal(700016)
        problem = self.assertion_problem(form) if self.certificate else form.get("client_secret") != self.secret.decode("latin-1")
        if problem:
            return refusal(700027 if self.certificate else 7000215, str(problem))
        self.given.append(f"token-{len(self.given) + 1}")
        return 200, {"token_type": "Bearer", "expires_in": self.expires_in, "ext_expires_in": self.expires_in, "access_token": self.given[-1]}

    def assertion_problem(self, form):
        if form["client_assertion_type"] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return "type"
        head, claims, signature = form["client_assertion"].split(".")
        told, now = json.loads(decode(claims)), time.time()
        der = subprocess.run(["openssl", "x509", "-in", self.certificate, "-outform", "DER"], capture_output=True, check=True).stdout
        thumbprint = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=der, capture_output=True, check=True).stdout
        if json.loads(decode(head)) != {"alg": "PS256", "typ": "JWT", "x5t#S256": base64.urlsafe_b64encode(thumbprint).decode().rstrip("=")}:
            return f"head {decode(head)}"
        if (told["aud"], told["iss"], told["sub"]) != (self.url, self.client, self.client):
            return f"claims {told}"
        if told["jti"] in self.ids or not told["nbf"] - 5 <= now < told["exp"] <= now + 660:
            return f"time or id {told}"
        self.ids.add(told["jti"])
        with tempfile.TemporaryDirectory() as folder:
            files = {"key": subprocess.run(["openssl", "x509", "-in", self.certificate, "-pubkey", "-noout"], capture_output=True,
                                           check=True).stdout, "signature": decode(signature)}
            for name, content in files.items():
                with open(f"{folder}/{name}", "wb") as file:
                    file.write(content)
            done = subprocess.run(["openssl", "dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32",
                                   "-verify", f"{folder}/key", "-signature", f"{folder}/signature"],
                                  input=f"{head}.{claims}".encode(), capture_output=True)
        return None if done.returncode == 0 else done.stdout.decode()
