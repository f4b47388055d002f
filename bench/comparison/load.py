"""Offered load: rms-load, or wrk where a second opinion is wanted. One run gives what was completed and how long it took."""

import dataclasses
import json
import math
import os
import shutil
import signal
import subprocess

from . import soap, tickets
from .problem import Problem


@dataclasses.dataclass
class Offer:
    request_bytes: int = 2048
    answer_bytes: int = 8192
    connections: int = 64
    rate: int = 0               # requests a second; 0: as fast as answers come
    new_connections: bool = False
    resume: bool = False        # TLS sessions on new connections
    pattern: str = ""           # with a Kerberos ticket, a connection for each call (exchange) or once on each connection (kept)


@dataclasses.dataclass
class Result:
    completed: int
    errors: int
    seconds: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    why: str = ""               # what the errors were


class Run:
    """A load tool at work."""

    def __init__(self, command, seconds, read, env=None):
        self.command, self.seconds, self.read = [str(part) for part in command], seconds, read
        try:
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                          env={**os.environ, **(env or {})})
        except OSError as error:
            raise Problem(f"{self.command[0]} could not be started: {error.strerror}") from error

    def finish(self):
        """Ends it before its time: both tools then report as usual."""
        self.child.send_signal(signal.SIGINT)
        return self.result()

    def result(self):
        """Waits for its end."""
        try:
            out, said = self.child.communicate(timeout=self.seconds * 3 + 30)
        except subprocess.TimeoutExpired as error:
            raise Problem(f"{self.command[0]} was asked for {self.seconds:g} s and did not end") from error
        finally:
            self.stop()
        result = self.read(out)
        if result is None:
            raise Problem(f"{self.command[0]} gave no result (status {self.child.returncode}):\n{out[-2000:]}{said[-2000:]}")
        return result

    def stop(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.communicate()


WRK_SCRIPT = """\
wrk.method = "POST"
wrk.path = "{path}"
wrk.body = [==[{body}]==]
{headers}
done = function(summary, latency)
  io.write(string.format("RESULT %d %d %f %f %f\\n", summary.requests,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


class Wrk:
    """Whole seconds only, no rate, no new connections."""
    name = "wrk"

    def __init__(self, bench):
        self.folder = bench.new_folder("wrk")

    @staticmethod
    def missing(bench):
        return [] if shutil.which("wrk") else ["wrk"]

    def start(self, url, ca_file, offer, seconds):
        script = self.folder / "request.lua"
        lines = "\n".join(f'wrk.headers["{name}"] = [[{value}]]' for name, value in soap.headers(offer.answer_bytes).items())
        script.write_text(WRK_SCRIPT.format(path=soap.PATH, body=soap.body(offer.request_bytes).decode(), headers=lines))
        whole = math.ceil(seconds)
        return Run(["wrk", "-t1", f"-c{offer.connections}", f"-d{whole}s", "--latency", "-s", script, url], whole, self.read)

    @staticmethod
    def read(out):
        for line in out.splitlines():
            if line.startswith("RESULT "):
                completed, errors, took, p50, p99 = line.split()[1:]
                return Result(int(completed), int(errors), float(took), float(p50), float(p99))
        return None


class RmsLoad:
    name = "rms-load"

    def __init__(self, bench):
        self.bench = bench
        self.folder = bench.new_folder("rms-load")

    @staticmethod
    def missing(bench):
        return bench.missing_program("rms-load")

    def start(self, url, ca_file, offer, seconds):
        report = self.folder / "result.json"
        report.unlink(missing_ok=True)
        command = [self.bench.program("rms-load"), url, "--op", "AcquireLicense", "--request-bytes", offer.request_bytes,
                   "--answer-bytes", offer.answer_bytes, "--connections", offer.connections, "--duration", f"{seconds:g}",
                   "--verify", "0%", "--quiet", "--json", report]
        command += ["--rate", offer.rate] if offer.rate else []
        command += ["--new-connections"] if offer.new_connections else []
        command += ["--resume"] if offer.resume else []
        command += ["--ca", ca_file] if ca_file else []
        if not offer.pattern:
            return Run(command, seconds, lambda out: self.read(report))
        command += ["--auth", "negotiate", "--pattern", offer.pattern, "--spn", tickets.SPN]
        return Run(command, seconds, lambda out: self.read(report), self.bench.tickets.env)

    @staticmethod
    def read(report):
        if not report.exists():
            return None
        told = json.loads(report.read_text())
        latency = told["total"]["latency_us"]
        kinds = {**{kind: n for kind, n in told["errors_by_kind"].items() if n}, **told["reasons"],
                 **{f"status {status}": n for status, n in told["status"].items() if status != "200"}}
        unsent = told["errors_by_kind"].get("unsent", 0)  # still waiting here when the load was ended: no peer has failed in them
        return Result(told["completed"], told["errors"] - unsent, told["seconds"], latency["p50"] / 1e3, latency["p99"] / 1e3,
                      ", ".join(f"{n} x {kind}" for kind, n in kinds.items()))
