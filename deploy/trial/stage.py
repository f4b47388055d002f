"""The realm, the cloud stand-in and two nodes; what `deploy/quickstart break` may ask of them."""

import http.client
import json
import os
import secrets
import shlex
import signal
import time

from parts import HOST, Part, Trouble, free_port, make_certificates
from realm import CALLERS, NAME, REALM, Realm, client_env

CLOUD_MS = 20
TENANT = "5c6bb73b-1038-4eec-863d-49bded473437"
APPS = {"super-user": ("exchange", "e1f0c1a2-0001-4000-8000-000000000001"), "ordinary": ("sharepoint, fci", "e1f0c1a2-0002-4000-8000-000000000002")}
NODES = ("node1", "node2")
PROGRAMS = ("rms-connectord", "rms-connector-authd", "rms-connectorctl", "rms-cloud-sim", "rms-load")


def get(port, path, seconds=2):
    """(status, text), or (0, why not)."""
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as problem:
        return 0, str(problem)
    finally:
        connection.close()


def wait_for(what, ready, seconds=15):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Trouble(f"{what} did not happen within {seconds} s")
        time.sleep(0.01)


class Stage:
    def __init__(self, place, programs):
        self.place, self.folder, self.programs = place, place.folder, programs
        make_certificates(self.folder, NAME)
        self.realm = Realm(place)
        self.cloud_port, self.control_port = free_port(9443), free_port(9444)
        self.ports = {name: {"http": free_port(8081 + i), "https": free_port(8441 + i), "stats": free_port(9181 + i)}
                      for i, name in enumerate(NODES)}
        self.cloud = Part("cloud", [programs / "rms-cloud-sim", "--listen", f"{HOST}:{self.cloud_port}", "--tls-cert", self.folder / "cloud.pem",
                                    "--tls-key", self.folder / "cloud.key", "--control", f"{HOST}:{self.control_port}", "--delay-ms", CLOUD_MS, *self.login_words()], place)
        self.nodes = {name: Part(name, [programs / "rms-connectord", "-c", self.write_config(name)], place, self.realm.env) for name in NODES}
        self.write_terminal()

    def login_words(self):
        """Two applications in the stand-in's tenant, each with a secret of its own."""
        words = ["--login", TENANT, "--require-token", "Bearer"]
        for name, (_, client) in APPS.items():
            secret = self.folder / f"{name}.secret"
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_urlsafe(30))
            words += ["--app", f"{client},secret={secret}"]
        return words

    def credentials(self):
        return "".join(f"""  - name: {name}
    kind: oauth2-secret
    roles: [{roles}]
    tenant: {TENANT}
    client_id: {client}
    secret_file: {self.folder}/{name}.secret
    login_url: https://{HOST}:{self.cloud_port}
""" for name, (roles, client) in APPS.items())

    def write_config(self, name):
        ports, path = self.ports[name], self.folder / f"{name}.yaml"
        (self.folder / f"{name}.state").mkdir(mode=0o700)
        path.write_text(f"""node:
  name: {name}
  workers: 1
  drain_delay_s: 0
  drain_timeout_s: 5
  state_directory: {self.folder}/{name}.state
upstream:
  url: https://{HOST}:{self.cloud_port}
  ca_file: {self.folder}/ca.pem
credentials:
{self.credentials()}list:
  file: {self.folder}/list.json
auth:
  socket: {self.folder}/{name}.authd
  keytab: {self.realm.keytab}
  authd_program: {self.programs}/rms-connector-authd
realms:
  - name: {REALM}
    directory: false
log:
  requests_file: {self.folder}/{name}.requests.jsonl
stats:
  address: {HOST}:{ports['stats']}
admin:
  socket: {self.folder}/{name}.admin
listeners:
  - address: {HOST}:{ports['http']}
  - address: {HOST}:{ports['https']}
    tls:
      certificate: {self.folder}/connector.pem
      key: {self.folder}/connector.key
""")
        return path

    def write_terminal(self):
        """What makes another terminal belong to all this."""
        env = client_env(self.folder, CALLERS["exchange"])
        lines = [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
        (self.folder / "env").write_text("\n".join(lines) + f'\nexport PATH={shlex.quote(str(self.programs))}:"$PATH"\n')

    def start(self):
        self.realm.start()
        self.realm.write_list(CALLERS)
        self.start_cloud()
        for name in NODES:
            self.start_node(name)
        wait_for("that both nodes have their tokens", lambda: self.tokens_given() >= len(NODES) * len(APPS))

    def start_cloud(self):
        self.cloud.start()
        self.cloud.wait_until(lambda: get(self.control_port, "/health")[0] == 200)

    def tokens_given(self):
        status, text = get(self.control_port, "/seen")
        return sum(one["path"].endswith("/token") and one["status"] == 200 for one in json.loads(text)["last"]) if status == 200 else 0

    def start_node(self, name):
        self.nodes[name].start()
        self.nodes[name].wait_until(lambda: self.ready(name))

    def ready(self, name):
        """And its authd is there: callers are not put off."""
        port = self.ports[name]["stats"]
        return get(port, "/readyz")[0] == 200 and "\nrms_connector_authd_up 1\n" in get(port, "/metrics")[1]

    def change_list(self, roles):
        """Returns when both nodes go by it."""
        self.realm.write_list(roles)
        wait_for("that both nodes take the changed list",
                 lambda: all(self.list_facts(name).get("entries") == len(roles) for name in NODES))

    def list_facts(self, name):
        status, text = get(self.ports[name]["stats"], "/stats")
        return json.loads(text)["authorized_servers"] if status == 200 else {}

    def script(self, *rules):
        connection = http.client.HTTPConnection(HOST, self.control_port, timeout=5)
        connection.request("POST", "/script", json.dumps({"rules": list(rules)}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        if answer.status != 200:
            raise Trouble(f"the cloud stand-in refused a script: {said!r}")

    def stop(self):
        for part in (*self.nodes.values(), self.cloud, self.realm.kdc):
            part.stop()

    # ---- one line from `deploy/quickstart break`, answered by a line ----

    def obey(self, words):
        what, rest = (words[0], words[1:]) if words else ("", [])
        if what == "stop" and rest == ["cloud"]:
            self.cloud.kill()
        elif what == "start" and rest == ["cloud"]:
            self.start_cloud()
        elif what == "stop" and rest[:1] == ["authd"]:
            pid = self.nodes[rest[1]].child("rms-connector-authd")
            if not pid:
                raise Trouble(f"{rest[1]} has no rms-connector-authd")
            os.kill(pid, signal.SIGKILL)
        elif what == "stop":
            self.nodes[rest[0]].kill()
        elif what == "start":
            self.start_node(rest[0])
        elif what == "throttle":
            self.script({"status": 429, "retry_after": int(rest[0])})
        elif what == "mend":
            self.script()
        elif what == "unlist":
            self.change_list([role for role in CALLERS if role != rest[0]])
        elif what == "relist":
            self.change_list(list(CALLERS))
        else:
            return f"failed: {words} is no command"
        return "done"
