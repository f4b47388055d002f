"""What deploy/quickstart does once the programs are there: `show` starts everything and shows it, `break` breaks a part of what runs."""

import argparse
import collections
import ctypes
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

LIBC, PR_SET_PDEATHSIG = ctypes.CDLL(None), 1
HOST = "127.0.0.1"
SECONDS, CLOUD_MS = 10, 20
NODES = ("node1", "node2")
HELP_PAGE = "/_wmcs/certification/servercertification.asmx"
BREAKS = ("cloud", "throttle", "node1")
SERVER_INFO = (b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
               b'<GetServerInfo xmlns="http://microsoft.com/DRM/ServerService"><requests><ServerInfoRequest><Type>VersionInfo</Type>'
               b"</ServerInfoRequest></requests></GetServerInfo></soap:Body></soap:Envelope>")


class Trouble(Exception):
    """Said to the user as it is."""


# ---- what runs ----

class Part:
    """One program: started, watched, ended. Its output is kept in a file."""

    def __init__(self, name, command, folder):
        self.name, self.command, self.log = name, [str(word) for word in command], folder / f"{name}.log"
        self.process = None

    def start(self):
        # A session of its own, so that Ctrl-C reaches only us; a signal at our death, so that nothing stays when we are killed.
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                                            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM))

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()

    def stop(self):
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def wait_until(self, ready, seconds=15):
        end = time.monotonic() + seconds
        while not ready():
            if not self.running():
                raise Trouble(f"{self.name} ended at once; it said:\n{self.log.read_text(errors='replace')[-2000:]}")
            if time.monotonic() > end:
                raise Trouble(f"{self.name} was not ready within {seconds} s; see {self.log}")
            time.sleep(0.02)


def free_port(wanted):
    """That port, or any other when somebody has it."""
    for port in (wanted, 0):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((HOST, port))
            except OSError:
                continue
            return s.getsockname()[1]
    raise Trouble("no free port on loopback")


def make_certificates(folder):
    """A certification authority that lives as long as the directory, and a certificate each for cloud and connector."""
    def openssl(*words):
        done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise Trouble(f"openssl {words[0]} failed: {done.stderr}")
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    openssl("genpkey", *curve, "-out", "ca.key")
    openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=quickstart throw-away root", "-days", "2", "-out", "ca.pem")
    for name, subject in (("cloud", "localhost"), ("connector", "rmsconnector.corp.test")):
        (folder / f"{name}.ext").write_text(f"basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
                                            f"subjectAltName=DNS:{subject},DNS:localhost,IP:{HOST}\n")
        openssl("genpkey", *curve, "-out", f"{name}.key")
        openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={subject}", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-sha256",
                "-extfile", f"{name}.ext", "-out", f"{name}.pem")


class Stage:
    """The cloud stand-in and two nodes."""

    def __init__(self, folder, programs):
        self.folder, self.programs = folder, programs
        make_certificates(folder)
        self.cloud_port, self.control_port = free_port(9443), free_port(9444)
        self.ports = {name: {"http": free_port(8081 + i), "https": free_port(8441 + i), "stats": free_port(9181 + i)}
                      for i, name in enumerate(NODES)}
        self.cloud = Part("cloud", [programs / "rms-cloud-sim", "--listen", f"{HOST}:{self.cloud_port}", "--tls-cert", folder / "cloud.pem",
                                    "--tls-key", folder / "cloud.key", "--control", f"{HOST}:{self.control_port}", "--delay-ms", CLOUD_MS], folder)
        self.nodes = {name: Part(name, [programs / "rms-connectord", "-c", self.write_config(name), "--loopback-caller", r"CORP\EXCH01$=exchange"], folder)
                      for name in NODES}

    def write_config(self, name):
        ports, path = self.ports[name], self.folder / f"{name}.yaml"
        path.write_text(f"""node:
  name: {name}
  workers: 1
  drain_delay_s: 0
  drain_timeout_s: 5
upstream:
  url: https://{HOST}:{self.cloud_port}
  ca_file: {self.folder}/ca.pem
credentials:
  - name: none
    kind: none
log:
  requests_file: {self.folder}/{name}.requests.jsonl
stats:
  address: {HOST}:{ports['stats']}
admin:
  socket: {self.folder}/{name}.sock
listeners:
  - address: {HOST}:{ports['http']}
  - address: {HOST}:{ports['https']}
    tls:
      certificate: {self.folder}/connector.pem
      key: {self.folder}/connector.key
""")
        return path

    def start_cloud(self):
        self.cloud.start()
        self.cloud.wait_until(lambda: get(self.control_port, "/health")[0] == 200)

    def start_node(self, name):
        self.nodes[name].start()
        self.nodes[name].wait_until(lambda: get(self.ports[name]["stats"], "/readyz")[0] == 200)

    def script(self, *rules):
        connection = http.client.HTTPConnection(HOST, self.control_port, timeout=5)
        connection.request("POST", "/script", json.dumps({"rules": list(rules)}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        if answer.status != 200:
            raise Trouble(f"the cloud stand-in refused a script: {said!r}")

    def stop(self):
        for part in (*self.nodes.values(), self.cloud):
            part.stop()


def get(port, path, seconds=2):
    """(status, text), or (0, why not)."""
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    except OSError as problem:
        return 0, str(problem)
    finally:
        connection.close()


# ---- show ----

def run_load(stage, *arguments):
    out = stage.folder / "load.json"
    command = [stage.programs / "rms-load", *arguments, "--json", out]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    if not out.exists():
        raise Trouble(f"rms-load ended with {done.returncode}:\n{done.stdout[-2000:]}")
    result = json.loads(out.read_text())
    out.unlink()
    return result


def samples(stage, name):
    """{(metric, labels): value} of one node."""
    status, text = get(stage.ports[name]["stats"], "/metrics", 5)
    if status != 200:
        raise Trouble(f"{name} does not show its statistics: {text}")
    found = {}
    for line in text.splitlines():
        if line and line[0] != "#":
            series, value = line.rsplit(" ", 1)
            metric, _, labels = series.partition("{")
            found[metric, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))] = float(value)
    return found


def percentile(buckets, share):
    """Of a histogram as Prometheus has it: {upper edge: how many at or below}."""
    edges = sorted(buckets)
    wanted, below, low = buckets[edges[-1]] * share, 0.0, 0.0
    for edge in edges:
        if buckets[edge] >= wanted and buckets[edge] > below:
            return low if edge == float("inf") else low + (edge - low) * (wanted - below) / (buckets[edge] - below)
        below, low = buckets[edge], edge
    return low


def time_of(all_samples, metric):
    buckets, total, count = collections.Counter(), 0.0, 0.0
    for (name, labels), value in all_samples:
        if ("effect", "ok") not in labels:
            continue
        if name == f"rms_connector_{metric}_seconds_bucket":
            buckets[float(dict(labels)["le"])] += value
        total += value if name == f"rms_connector_{metric}_seconds_sum" else 0
        count += value if name == f"rms_connector_{metric}_seconds_count" else 0
    if not count:
        return "nothing measured"
    return f"mean {total / count * 1000:7.3f} ms, p50 {percentile(buckets, 0.5) * 1000:7.3f} ms, p99 {percentile(buckets, 0.99) * 1000:7.3f} ms"


def show_bootstrap(result):
    for one in result["bootstrap"]:
        good = "every answer right" if one["good"] else "WRONG"
        print(f"  {one['url']}: {len(one['steps'])} calls, {one['signatures']} signatures checked, {good}")
        for step in one["steps"]:
            if step["problem"]:
                print(f"      {step['call']}: {step['problem']}")


def count_requests(all_samples):
    effects = collections.Counter()
    for (name, labels), value in all_samples:
        labels = dict(labels)
        if name == "rms_connector_requests_total" and labels["operation"] != "none":
            effects[labels["effect"]] += int(value)
    return effects


def show(stage, rate, begun):
    urls = {scheme: [f"{scheme}://{HOST}:{stage.ports[name][scheme]}" for name in NODES] for scheme in ("http", "https")}
    ca = stage.folder / "ca.pem"
    print(f"\nThe calls of a server's start, over HTTPS ({begun:.1f} s after the programs were there):")
    results = [run_load(stage, *urls["https"], "--ca", ca, "--bootstrap", "--op", "GetServerInfo", "--requests", 20, "--verify", "100%")]
    show_bootstrap(results[0])
    print(f"\n{SECONDS} s of mixed load, {rate} requests/s, alternating between the nodes ...", flush=True)
    results.append(run_load(stage, *urls["http"], "--profile", "mixed", "--rate", rate, "--duration", SECONDS, "--verify", "5%"))
    load = results[1]
    print("  by profile")
    for caller, operations in load["callers"].items():
        print(f"    {caller:<12} {sum(row['requests'] for row in operations.values()):>6} requests, {sum(row['errors'] for row in operations.values())} failed")
    print("  by node")
    for name, row in zip(NODES, load["nodes"]):
        print(f"    {name:<12} {row['requests']:>6} requests, {row['errors']} failed   {row['url']}")
    all_samples = [item for name in NODES for item in samples(stage, name).items()]
    effects = count_requests(all_samples)
    wrong = sum(result["verified"]["wrong"] + sum(one["wrong"] for one in result["bootstrap"]) for result in results)
    signatures = sum(result["verified"]["signatures"] + sum(one["signatures"] for one in result["bootstrap"]) for result in results)
    failed = sum(result["total"]["errors"] for result in results) + effects["deferred"] + effects["final"] + wrong
    failed += sum(not one["good"] for result in results for one in result["bootstrap"])
    print(f"  failures       {failed}")
    print(f"  signatures     {signatures} checked, {wrong} wrong")
    print(f"  time added     {time_of(all_samples, 'processing_time')}   (by the node)")
    print(f"  time waited    {time_of(all_samples, 'service_time')}   (for the cloud stand-in, which takes {CLOUD_MS} ms)")
    return effects["ok"], failed


def show_addresses(stage):
    print("\nLook at")
    for name in NODES:
        ports = stage.ports[name]
        print(f"  {name}: http://{HOST}:{ports['http']}{HELP_PAGE}   (the help page)")
        print(f"         http://{HOST}:{ports['stats']}/stats and /metrics;  requests: {stage.folder}/{name}.requests.jsonl")
    page = get(stage.ports["node1"]["http"], HELP_PAGE)
    if page[0] != 200 or "ServerCertificationWebService" not in page[1]:
        raise Trouble(f"the help page is not there: {page}")
    print("\nAUTHENTICATION OFF (test switch): every caller on this machine is taken for CORP\\EXCH01$, an Exchange server.")
    print("This was a simulator, not Azure: no tenant was asked, and nothing here shows that a tenant would accept these requests.")


def show_next(stage):
    print("\nTry next, in another terminal")
    for name in BREAKS:
        print(f"  deploy/quickstart break {name}")
    first = stage.ports["node1"]
    print(f"  {stage.programs}/rms-load http://{HOST}:{first['http']} --profile exchange --rate 100 --duration 10")
    print(f"  curl -s http://{HOST}:{first['stats']}/stats")
    print("\nRunning until Ctrl-C.", flush=True)


def run_show(arguments):
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    programs = pathlib.Path(arguments.programs).resolve()
    for name in ("rms-connectord", "rms-cloud-sim", "rms-load"):
        if not (programs / name).exists():
            raise Trouble(f"{programs / name} is not built")
    if not arguments.once:
        refuse_second()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rms-quickstart-"))
    stage = None
    try:
        stage = Stage(folder, programs)
        stage.start_cloud()
        for name in NODES:
            stage.start_node(name)
        print(f"cloud stand-in at https://{HOST}:{stage.cloud_port}, nodes at "
              + " and ".join(f"http://{HOST}:{stage.ports[name]['http']}" for name in NODES))
        relayed, failed = show(stage, arguments.rate, time.monotonic() - begun)
        show_addresses(stage)
        if arguments.once:
            print("Try next: deploy/quickstart, which keeps running so that you can look around and break things.")
        else:
            show_next(stage)
            serve_breaks(stage)
        stage.stop()
        print(f"quickstart: {relayed} requests relayed, {failed} failed")
        return 0 if relayed and not failed else 1
    finally:
        if stage:
            stage.stop()
        shutil.rmtree(folder, ignore_errors=True)


# ---- break: the running quickstart listens at a socket in its directory, and a file of this user says where ----

def pointer():
    return pathlib.Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"rms-quickstart-{os.getuid()}.json"


def running():
    """What the running quickstart wrote down, or None."""
    try:
        fd = os.open(pointer(), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(fd) as file:
        about = os.fstat(fd)
        if about.st_uid != os.getuid() or not stat.S_ISREG(about.st_mode):
            return None
        try:
            state = json.load(file)
            os.kill(state["pid"], 0)
        except (ValueError, KeyError, OSError):
            return None
    return state if os.path.exists(state["socket"]) else None


def refuse_second():
    state = running()
    if state:
        raise Trouble(f"a quickstart is running already (process {state['pid']}); end it with Ctrl-C first, or use --once")


def serve_breaks(stage):
    """Until Ctrl-C: one command a connection, `stop NAME`, `start NAME`, `throttle SECONDS` or `mend`, answered by a line."""
    path = stage.folder / "socket"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(4)
    server.settimeout(0.5)
    pointer().unlink(missing_ok=True)
    fd = os.open(pointer(), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump({"pid": os.getpid(), "socket": str(path), "ports": stage.ports}, file)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        while not ended.is_set():
            try:
                connection, _ = server.accept()
            except (TimeoutError, socket.timeout):
                continue
            with connection:
                connection.settimeout(2)
                try:
                    said = obey(stage, connection.recv(200).decode().split())
                except Exception as problem:  # pylint: disable=broad-except
                    said = f"failed: {problem}"
                try:
                    connection.sendall(said.encode())
                except OSError:
                    pass
    finally:
        pointer().unlink(missing_ok=True)
        server.close()
        print()


def obey(stage, words):
    if words[:1] == ["stop"]:
        (stage.cloud if words[1] == "cloud" else stage.nodes[words[1]]).kill()
    elif words == ["start", "cloud"]:
        stage.start_cloud()
    elif words[:1] == ["start"]:
        stage.start_node(words[1])
    elif words[:1] == ["throttle"]:
        stage.script({"status": 429, "retry_after": int(words[1])})
    elif words == ["mend"]:
        stage.script()
    else:
        return f"failed: {words} is no command"
    return "done"


def tell(state, command):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(state["socket"])
        s.sendall(command.encode())
        said = s.recv(1000).decode()
    if said != "done":
        raise Trouble(f"the running quickstart says: {said}")


def ask(port):
    """What a caller sees: (status or 0, words)."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection(HOST, port, timeout=20)
    try:
        connection.request("POST", "/_wmcs/licensing/server.asmx", SERVER_INFO, {
            "Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"http://microsoft.com/DRM/ServerService/GetServerInfo"'})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as problem:
        return 0, f"no answer ({problem})"
    finally:
        connection.close()
    took = (time.monotonic() - begun) * 1000
    if answer.status == 200:
        return 200, f"200 in {took:.0f} ms, the answer of the service"
    words = body.decode("utf-8", "replace").split("\n", maxsplit=1)[0][:100]
    again = answer.getheader("Retry-After")
    return answer.status, f"{answer.status} in {took:.0f} ms: {words}" + (f"; Retry-After: {again}" if again else "")


EFFECTS = {200: "ok", 400: "deferred", 408: "deferred", 413: "deferred", 429: "deferred", 500: "deferred"}
MEANING = {"ok": "ok", "deferred": "deferred: the server keeps the message and tries again", "final": "final: the server gives up on this message"}


def see(state, name):
    status, words = ask(state["ports"][name]["http"])
    print(f"  {name}: {words}")
    print(f"         effect {MEANING[EFFECTS.get(status, 'final')]}")
    return status


def recovery(state, name, command):
    begun = time.monotonic()
    tell(state, command)
    started = time.monotonic()
    while ask(state["ports"][name]["http"])[0] != 200:
        if time.monotonic() - started > 60:
            raise Trouble(f"{name} did not recover within 60 s")
        time.sleep(0.02)
    now = time.monotonic()
    print(f"  first good answer through {name} {1000 * (now - begun):.0f} ms after that began")


def run_break(what):
    state = running()
    if not state:
        raise Trouble("no quickstart is running: start deploy/quickstart in another terminal, and wait until it says Ctrl-C")
    if what == "cloud":
        print("The cloud stand-in is killed. What callers see:")
        tell(state, "stop cloud")
        try:
            for name in NODES:
                see(state, name)
        finally:
            print("The cloud stand-in is started again.")
            recovery(state, "node1", "start cloud")
    elif what == "throttle":
        print("The cloud answers 429 and asks to wait 7 s. What callers see:")
        tell(state, "throttle 7")
        try:
            for name in NODES:
                see(state, name)
        finally:
            print("The cloud answers again.")
            recovery(state, "node1", "mend")
    else:
        print("node1 is killed. What callers see:")
        tell(state, "stop node1")
        try:
            see(state, "node1")
            print("         (a balancer has noticed by /readyz and sends nobody there; those who were in flight are cut, and try again)")
            see(state, "node2")
        finally:
            print("node1 is started again.")
            recovery(state, "node1", "start node1")
    return 0


def main():
    parser = argparse.ArgumentParser(prog="quickstart")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("show")
    one.add_argument("--programs", required=True)
    one.add_argument("--once", action="store_true")
    one.add_argument("--rate", type=int, default=150)
    commands.add_parser("break").add_argument("what", choices=BREAKS)
    arguments = parser.parse_args()
    try:
        return run_break(arguments.what) if arguments.command == "break" else run_show(arguments)
    except Trouble as problem:
        print(f"quickstart: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
