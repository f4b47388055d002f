"""The login service of the cloud stand-in: it gives tokens for what is really proven, the service really asks for them, and a node lives on them."""

import base64
import hashlib
import json
import os
import subprocess
import time
import urllib.parse

import pytest

from support import soap
from support.sim import CloudSim, sim_caller, simulator  # noqa: F401  (fixture)
from support.wait import eventually

TENANT = "11111111-2222-3333-4444-555555555555"
SUPER, ORDINARY = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "99999999-bbbb-cccc-dddd-eeeeeeeeeeee"
SECRET = "p&a[s]s\"w'o<r>d=%+ é€".encode()
CERTIFY = soap.CERTIFY


@pytest.fixture
def login(simulator, certs, tmp_path):
    """login(): a stand-in with two applications, one with a secret and one with a certificate, that asks for their tokens."""
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    os.chmod(file, 0o600)
    if not os.path.exists(certs.chain("app")):
        certs.issue("app", "connector", "DNS:app.test", rsa=True, usage="clientAuth", days=100)

    def make(*more, require="any"):
        return simulator(arguments=["--login", TENANT, "--app", f"{ORDINARY},secret={file}", "--app", f"{SUPER},cert={certs.chain('app')}",
                                    *(["--require-token", require] if require else []), *more])
    make.secret_file = str(file)
    return make


def token_request(sim, certs, **changed):
    form = {"grant_type": "client_credentials", "client_id": ORDINARY, "scope": "https://aadrm.com/.default", "client_secret": SECRET,
            "tenant": TENANT, **changed}
    path = f"/{form.pop('tenant')}/oauth2/v2.0/token"
    body = urllib.parse.urlencode({name: value for name, value in form.items() if value is not None}).encode()
    with sim_caller(sim, certs) as one:
        answer = one.ask(b"POST %s HTTP/1.1\r\nHost: cloud.test\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
                         % (path.encode(), len(body), body))
    return answer.status, json.loads(answer.body) if answer.body.startswith(b"{") else None


def ask(sim, certs, *words):
    with sim_caller(sim, certs) as one:
        return one.ask(soap.request(CERTIFY, host="cloud.test", headers=[("Authorization", word) for word in words]))


def test_a_token_opens_the_service_and_nothing_else_does(login, certs):
    sim = login()
    status, told = token_request(sim, certs)
    assert (status, told["token_type"], told["expires_in"]) == (200, "Bearer", 3599)
    token = told["access_token"]
    for word in ("Bearer", "MSOID", "bearer"):
        assert ask(sim, certs, f"{word} {token}").status == 200
    for words in ([], ["Bearer"], [f"Basic {token}"], [f"Bearer {token[:-1]}0"], [f"Bearer x{token}"], ["Bearer sim.a;9999999999;0;1." + 64 * "0"]):
        refused = ask(sim, certs, *words)
        assert refused.status == 401 and refused.header("WWW-Authenticate").startswith("Bearer"), words
    sim._told("POST", "/forget-tokens")
    refused = ask(sim, certs, f"Bearer {token}")
    assert refused.status == 401 and "invalid_token" in refused.header("WWW-Authenticate")


def test_a_token_ends_and_a_scheme_may_be_the_only_one(login, certs):
    sim = login("--token-life", 1, require="MSOID")
    token = token_request(sim, certs)[1]["access_token"]
    assert ask(sim, certs, f"Bearer {token}").status == 401
    eventually(lambda: "expired" in (ask(sim, certs, f"MSOID {token}").header("WWW-Authenticate") or ""), 5)


def test_an_account_is_that_of_its_application_whatever_the_token(login, certs):
    sim = login()
    names = []
    for _ in range(2):
        body = ask(sim, certs, "Bearer " + token_request(sim, certs)[1]["access_token"]).body
        names.append(body.split(b"<ISSUEDPRINCIPALS>")[1].split(b"<NAME>")[1].split(b"<")[0])
    assert names[0] == names[1] and names[0].startswith(b"account-")


@pytest.mark.parametrize("changed, status, code", [
    ({"client_secret": SECRET + b"x"}, 401, 7000215), ({"client_secret": None}, 400, 7000218), ({"client_id": TENANT}, 400, 700016),
    ({"client_id": None}, 400, 700016), ({"grant_type": "password"}, 400, 7000218), ({"scope": "https://graph.example/.default"}, 400, 70011),
    ({"client_id": SUPER}, 400, 7000218),
    ({"client_id": SUPER, "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion": "a.b.c"}, 401, 7000214)])
def test_a_wrong_proof_has_the_code_of_the_real_service(login, certs, changed, status, code):
    got, told = token_request(login(), certs, **changed)
    assert (got, told["error_codes"]) == (status, [code]) and told["error_description"].startswith(f"AADSTS{code}: ")


def url_form(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def assertion(certs, audience, key="app", named="app", head=None, **changed):
    """A JWT as RFC 7523 wants it, signed with PS256 by the openssl program."""
    now = int(time.time())
    der = subprocess.run(["openssl", "x509", "-in", certs.chain(named), "-outform", "DER"], capture_output=True, check=True).stdout
    parts = [head or {"alg": "PS256", "typ": "JWT", "x5t#S256": url_form(hashlib.sha256(der).digest())},
             {"aud": audience, "iss": SUPER, "sub": SUPER, "jti": os.urandom(8).hex(), "nbf": now, "exp": now + 600, **changed}]
    text = ".".join(url_form(json.dumps(part).encode()) for part in parts)
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sign", certs.key(key)],
                            input=text.encode(), capture_output=True, check=True).stdout
    return f"{text}.{url_form(signed)}"


def with_assertion(sim, certs, jwt):
    status, told = token_request(sim, certs, client_id=SUPER, client_secret=None, client_assertion=jwt,
                                 client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    return 0 if status == 200 else told["error_codes"][0]


def test_an_assertion_is_checked_whole(login, certs):
    """With a signature that another program makes: right, and wrong in each of its parts."""
    sim, now = login(), int(time.time())
    if not os.path.exists(certs.chain("other-app")):
        certs.issue("other-app", "connector", "DNS:app.test", rsa=True, usage="clientAuth")
    audience = f"https://cloud.test/{TENANT}/oauth2/v2.0/token"
    good = assertion(certs, audience)
    assert [with_assertion(sim, certs, good) for _ in range(2)] == [0, 7000214], "an id is good once"
    for code, jwt in ((700027, assertion(certs, audience, key="other-app")), (700027, assertion(certs, audience, named="other-app")),
                      (7000214, assertion(certs, audience.replace("cloud", "other"))), (7000214, assertion(certs, audience, iss=ORDINARY)),
                      (7000214, assertion(certs, audience, sub=ORDINARY)), (700024, assertion(certs, audience, exp=now - 1)),
                      (700024, assertion(certs, audience, nbf=now + 3600)), (700024, assertion(certs, audience, exp=now + 36000)),
                      (7000214, assertion(certs, audience, head={"alg": "none", "typ": "JWT"})), (7000214, good.rpartition(".")[0])):
        assert with_assertion(sim, certs, jwt) == code


def test_another_tenant_is_not_there(login, certs):
    assert token_request(login(), certs, tenant=SUPER)[0] == 404


def test_a_code_on_demand(login, certs):
    sim = login()
    sim.script({"match": {"path": f"/{TENANT}/oauth2/v2.0/token"}, "aadsts": 53003, "times": 1})
    status, told = token_request(sim, certs)
    assert status == 401 and told["error_codes"] == [53003] and told["error"] == "unauthorized_client"
    assert token_request(sim, certs)[0] == 200


@pytest.mark.parametrize("kind, scheme", [("oauth2-secret", "Bearer"), ("oauth2-certificate", "MSOID")])
def test_a_node_lives_on_its_tokens(login, certs, node, kind, scheme):
    """H08 H09 H13: fetched with what is really checked, and fetched anew when the service refuses them."""
    sim = login(require=scheme)
    proof = {"secret_file": login.secret_file, "client_id": ORDINARY} if kind == "oauth2-secret" else \
        {"certificate_file": certs.chain("app"), "key_file": certs.key("app"), "client_id": SUPER}
    relay = node(sim, credentials=[{"name": "tenant", "kind": kind, "tenant": TENANT, "login_url": sim.url, "scheme": scheme, **proof}])
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200, 10)
    sim._told("POST", "/forget-tokens")
    relay.ask(soap.request(CERTIFY))
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200, 10)
    tokens = [request for request in sim.requests() if request["path"].endswith("/token")]
    assert len(tokens) == 2 and all(request["status"] == 200 for request in tokens)


@pytest.mark.parametrize("arguments, told", [
    (["--app", f"{SUPER},secret=/x"], "need --login"), (["--login", TENANT, "--app", SUPER], "ID,secret=FILE"),
    (["--login", TENANT, "--app", f"{SUPER},secret=/no/such"], "/no/such"), (["--login", "a/b"], "tenant's id"),
    (["--login", TENANT, "--require-token", "Basic"], "Bearer, MSOID or any"), (["--path", "/x/"], "without a slash"),
    (["--replay", "/no/such"], "/no/such")])
def test_a_wrong_command_line_is_told(certs, arguments, told):
    with pytest.raises(AssertionError, match="did not start") as failed:
        CloudSim(certs, arguments=arguments)
    assert told in str(failed.value)
