"""rms-connectorctl upstream prove: what is known of a tenant's service, and what is not, before any server calls."""

import hashlib
import json
import os

import pytest

from support import net, soap
from support.ctl import ctl
from support.login import Login
from support.sim import simulator  # noqa: F401  (fixture)
from support.upstream import answer

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
SECRET = b"PLANTED-secret%&+ 1"
OPERATIONS = ["GetServerInfo", "GetLicensorCertificate", "FindServiceLocations", "AcquireTemplateInformation"]


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(SECRET)
    os.chmod(file, 0o600)
    return str(file)


@pytest.fixture
def tenant(simulator, secret):
    """tenant(): a stand-in whose service wants tokens of its login service."""
    def make(*more, require="Bearer"):
        return simulator(arguments=["--login", TENANT, "--app", f"{CLIENT},secret={secret}", "--require-token", require, *more])
    return make


def proof_words(sim, certs, secret, *more, login=None):
    return ["upstream", "prove", "--url", sim.url, "--tenant", TENANT, "--client-id", CLIENT, "--secret-file", secret, "--ca-file", certs.ca,
            "--login-url", login or sim.url, *more]


def prove(*words, code=0):
    done = ctl("--json", *words)
    assert done.returncode == code, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] == (code == 0)
    return told["result"]


def settled(result):
    return {question["id"]: question["answer"] for question in result["verdict"]["questions"]}


def rows(result, **like):
    return [call for call in result["calls"] if all(call[name] == value for name, value in like.items())]


def test_usable_says_with_which_settings(tenant, certs, secret):
    """The token is looked at: without it the service refuses what it answers with it."""
    sim = tenant()
    result = prove(*proof_words(sim, certs, secret))
    assert result["verdict"]["result"] == "usable" and result["verdict"]["shows_token"]
    assert (result["verdict"]["path"], result["verdict"]["scheme"], result["verdict"]["answered"]) == ("/_wmcs", "Bearer", 4)
    good = rows(result, outcome="good")
    assert [(call["base"], call["scheme"], call["operation"]) for call in good] == [("/_wmcs", "Bearer", name) for name in OPERATIONS]
    assert all(call["status"] == 401 and call["challenge"].startswith("Bearer") for call in rows(result, base="/_wmcs", scheme="none"))
    assert all(call["status"] == 404 for call in rows(result, base="/_wmcs/oauth2"))
    assert settled(result) == {"token_accepted": "yes", "scheme": "yes", "oauth2_path": "no", "anonymous_locations": "no", "licences": "open",
                               "certificate_life": "open"}
    assert len(rows(result)) == 24 and len([seen for seen in sim.requests() if seen["path"].endswith("/token")]) == 1


def test_people_read_the_settings_to_write(tenant, certs, secret):
    """H13: another scheme at another path."""
    sim = tenant("--path", "/_wmcs/oauth2", require="MSOID")
    for base in ("certification", "licensing"):
        sim.script({"match": {"path": f"/_wmcs/{base}/server.asmx"}, "status": 404},
                   {"match": {"path": f"/_wmcs/{base}/templatedistribution.asmx"}, "status": 404}, append=base == "licensing")
    done = ctl(*proof_words(sim, certs, secret))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"    url: {sim.url}\n    path: /_wmcs/oauth2\n" in done.stdout and "      scheme: MSOID\n" in done.stdout
    assert "it is MSOID; Bearer is not answered" in done.stdout and "4 of 4 operations" in done.stdout


def test_a_service_that_looks_at_no_token_proves_nothing_about_it(simulator, certs, secret):
    sim = simulator(arguments=["--login", TENANT, "--app", f"{CLIENT},secret={secret}"])
    result = prove(*proof_words(sim, certs, secret))
    assert result["verdict"]["result"] == "usable" and not result["verdict"]["shows_token"]
    assert settled(result)["token_accepted"] == "open" and settled(result)["anonymous_locations"] == "yes"


def test_a_recorded_request_shows_that_certificates_are_given(tenant, certs, secret, tmp_path):
    body = tmp_path / "certify.xml"
    recorded = soap.request_body(soap.CERTIFY)
    body.write_bytes(recorded)
    sim = tenant()
    result = prove(*proof_words(sim, certs, secret, "--body", str(body)))
    (certify,) = rows(result, recorded=True)
    assert (certify["operation"], certify["scheme"], certify["outcome"]) == ("Certify", "Bearer", "good") and certify["until"]
    assert settled(result)["licences"] == "yes" and settled(result)["certificate_life"] == "yes"
    assert sim.requests("Certify")[0]["sha256"] == hashlib.sha256(recorded).hexdigest()


@pytest.mark.parametrize("code", [7000215, 7000222, 700027, 700024, 700016, 90002, 7000112, 501051, 500011, 70011, 53003, 50076])
def test_what_the_login_service_refuses_is_advice(tenant, certs, secret, code):
    """B12 B11: exit code 1, the number, what it means and how to mend it; asked once."""
    sim = tenant()
    sim.script({"match": {"path": f"/{TENANT}/oauth2/v2.0/token"}, "aadsts": code})
    done = ctl(*proof_words(sim, certs, secret))
    assert done.returncode == 1 and f"No token: AADSTS{code}: " in done.stdout, done.stdout
    assert "Refused: the login service gives no token" in done.stdout
    result = prove(*proof_words(sim, certs, secret), code=1)
    assert result["login"]["outcome"] == "refused" and result["login"]["code"] == code
    assert settled(result)["token_accepted"] == "open"


def test_what_the_service_refuses_is_not_usable(tenant, certs, secret):
    sim = tenant()
    sim.script({"match": {"authorization": "Bearer"}, "status": 401, "headers": ["WWW-Authenticate: Bearer error=\"insufficient_scope\""]})
    result = prove(*proof_words(sim, certs, secret), code=1)
    assert result["verdict"]["result"] == "refused" and result["login"]["outcome"] == "token"
    assert rows(result, scheme="Bearer", base="/_wmcs")[0]["challenge"] == "Bearer error=\"insufficient_scope\""
    assert settled(result)["token_accepted"] == "no"


def test_a_service_out_of_order_settles_nothing(tenant, certs, secret):
    """It was reached and is not usable; whether it would take the token is as open as before."""
    sim = tenant("--path", "/_wmcs/oauth2")
    sim.script(*({"match": {"op": name}, "status": 503} for name in OPERATIONS))
    result = prove(*proof_words(sim, certs, secret), code=1)
    assert set(settled(result).values()) == {"open"} and {call["status"] for call in result["calls"]} == {503}


def test_a_fault_is_told_in_its_words(tenant, certs, secret):
    sim = tenant()
    sim.script({"match": {"authorization": "Bearer", "op": "AcquireTemplateInformation"}, "fault": "ClusterDecommissionedException"})
    result = prove(*proof_words(sim, certs, secret))
    (fault,) = rows(result, outcome="fault")
    assert fault["status"] == 500 and "ClusterDecommissionedException" in fault["fault"] and result["verdict"]["answered"] == 3


def test_a_redirect_is_told_and_not_followed(tenant, certs, secret):
    sim = tenant()
    sim.script({"match": {"path": "/_wmcs/certification/server.asmx"}, "status": 302, "location": "https://elsewhere.example/x?token=1"})
    result = prove(*proof_words(sim, certs, secret))
    moved = rows(result, outcome="redirected")
    assert moved and {call["location"] for call in moved} == {"https://elsewhere.example/x"}


@pytest.mark.parametrize("why", ["refused", "name", "certificate", "login"])
def test_what_is_not_reached_proves_nothing(tenant, certs, secret, simulator, why):
    """Exit code 69, after one try."""
    sim = simulator(certificate="cloud-unknown") if why == "certificate" else tenant()
    closed = f"https://127.0.0.1:{net.free_port()}"
    url = closed if why == "refused" else f"https://no-such-name.invalid:{sim.port}" if why == "name" else sim.url
    words = proof_words(sim, certs, secret, login=closed if why == "login" else None)
    words[words.index("--url") + 1] = url
    result = prove(*words, code=69)
    assert result["verdict"]["result"] == "unreachable"
    assert (result["login"]["outcome"], len(result["calls"])) == (("unreachable", 8) if why == "login" else ("not_tried", 1))
    assert why == "login" or rows(result, outcome="lost")[0]["problem"]


def test_the_transcript_holds_no_token_and_no_licence(cloud, certs, secret, tmp_path):
    """B05: not even where the service says the token back."""
    login = Login(TENANT, CLIENT, secret=SECRET)
    place = cloud(login)
    login.url = f"{place.url}/{TENANT}/oauth2/v2.0/token"

    def echo(connection, request):
        said = request.header("Authorization") or "nothing"
        if "GetServerInfo" in (request.header("SOAPAction") or "") and said != "nothing":
            body = soap.answer_body(soap.SERVER_INFO).replace(b"</soap:Body>", b"<x>PLANTED-licence</x></soap:Body>")
            connection.send(answer(body=body))
        else:
            connection.send(answer(401, b"", headers=[("WWW-Authenticate", f"Bearer realm=\"{said}\""), ("Location", f"https://a.example/{said}"),
                                                      ("Server", said)]))
    service = cloud(echo)
    out = tmp_path / "transcript.json"
    done = ctl("upstream", "prove", "--url", service.url, "--tenant", TENANT, "--client-id", CLIENT, "--secret-file", secret, "--ca-file", certs.ca,
               "--login-url", place.url, "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert login.given == ["token-1"] and any("token-1" in (request.header("Authorization") or "") for request in service.requests)
    for text in (done.stdout, done.stderr, out.read_text()):
        assert "token-1" not in text and "PLANTED" not in text
    assert "(left out: it holds the token)" in done.stdout and "(left out: it holds the token)" in out.read_text()


def test_a_transcript_replayed_is_the_same_service(tenant, simulator, certs, secret, tmp_path):
    """What was refused and what failed is so again; the rest is answered."""
    out = str(tmp_path / "transcript.json")
    first = tenant("--path", "/_wmcs/oauth2", require="MSOID")
    first.script({"match": {"op": "FindServiceLocations", "authorization": "MSOID"}, "fault": "UnspecifiedErrorException"},
                 {"match": {"op": "AcquireTemplateInformation", "authorization": "MSOID"}, "do": "close", "at": 0},
                 {"match": {"path": "/_wmcs/certification/server.asmx", "authorization": "MSOID"}, "status": 403})
    before = prove(*proof_words(first, certs, secret, "--out", out))
    second = simulator(arguments=["--login", TENANT, "--app", f"{CLIENT},secret={secret}", "--replay", out])
    after = prove(*proof_words(second, certs, secret))

    def told(result):
        return [(call["path"], call["operation"], call["scheme"], call["outcome"], call["status"], call.get("fault")) for call in result["calls"]]
    assert told(after) == told(before) and len(told(after)) == 24
    assert {call[3] for call in told(after)} == {"good", "fault", "refused", "lost"}
    assert settled(after) == settled(before)
    with open(out, encoding="utf-8") as file:
        assert json.load(file) == before


def test_a_refused_login_is_replayed(tenant, simulator, certs, secret, tmp_path):
    out = str(tmp_path / "transcript.json")
    sim = tenant()
    sim.script({"match": {"path": f"/{TENANT}/oauth2/v2.0/token"}, "aadsts": 7000222})
    prove(*proof_words(sim, certs, secret, "--out", out), code=1)
    second = simulator(arguments=["--login", TENANT, "--app", f"{CLIENT},secret={secret}", "--replay", out])
    assert prove(*proof_words(second, certs, secret), code=1)["login"]["code"] == 7000222


@pytest.fixture
def configured(tenant, node, secret, tmp_path):
    """A node with a configuration and a state directory of its own, and its cloud."""
    sim = tenant()
    (tmp_path / "state").mkdir(mode=0o700)
    row = {"name": "tenant", "kind": "oauth2-secret", "tenant": TENANT, "client_id": CLIENT, "login_url": sim.url, "secret_file": secret}
    relay = node(sim, credentials=[row], settings={"node.state_directory": str(tmp_path / "state"), "admin.socket": str(tmp_path / "admin.sock")})
    relay.cloud, relay.socket = sim, str(tmp_path / "admin.sock")
    return relay


def test_a_proof_leaves_its_mark_on_the_node(configured):
    """status and the page say it, and until then that nothing is proven."""
    def says():
        status = json.loads(ctl("--json", "status", relay=configured).stdout)["result"]["upstream_proof"]
        page = configured.get_stats("/")[1]
        assert f"Azure RMS: {status.split(':')[0].split(' by ')[0]}" in page
        return status
    assert says().startswith("not proven against a tenant: ")
    configured.cloud.script({"match": {"op": "none"}, "times": 99, "aadsts": 53003})
    assert ctl("upstream", "prove", "-c", str(configured.config)).returncode == 1
    assert says().startswith("not proven")
    configured.cloud.script()
    done = ctl("upstream", "prove", "-c", str(configured.config))
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert f" against 127.0.0.1:{configured.cloud.port} by {', '.join(OPERATIONS)}; certificates and licences were not asked for" in says()


@pytest.mark.parametrize("words, told", [
    (["--url", "ftp://x"], "--url is not right"), (["--url"], "needs a value"), (["--nonsense", "1"], "no option"),
    (["--url", "https://a", "--tenant", "x"], "a token needs"), (["--url", "https://a", "--key-file", "x"], "belong together"),
    (["--url", "https://a", "--cloud", "Mars"], "AzureChinaCloud"), (["--url", "https://a", "--url", "https://b"], "twice"),
    (["--url", "https://a", "--timeout-ms", "9"], "from 100"), (["--url", "https://a", "--path", "x"], "/_wmcs")])
def test_a_wrong_word_is_told(words, told):
    done = ctl("upstream", "prove", *words)
    assert done.returncode == 64 and told in done.stderr, done.stderr


@pytest.mark.parametrize("service, login", [("http://rms.example", None), ("https://127.0.0.1:1", "http://login.example")])
def test_nothing_is_said_over_plain_http_to_another_machine(secret, service, login):
    done = ctl("upstream", "prove", "--url", service, "--tenant", TENANT, "--client-id", CLIENT, "--secret-file", secret,
               *(["--login-url", login] if login else []))
    assert done.returncode == 78 and "must begin with https://" in done.stderr, done.stderr


def test_a_body_that_is_no_request_is_told(tmp_path):
    (tmp_path / "x").write_bytes(b"<a/>")
    done = ctl("upstream", "prove", "--url", "https://a", "--body", str(tmp_path / "x"))
    assert done.returncode == 65 and "no SOAP request" in done.stderr
    assert ctl("upstream", "prove", "--url", "https://a", "--body", str(tmp_path / "y")).returncode == 66


def test_help_names_it():
    assert "upstream prove" in ctl("help").stdout and "--secret-file" in ctl("help", "upstream", "prove").stdout
