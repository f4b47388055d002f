"""Offered load: rms-load, or wrk where a second opinion is wanted. One run gives what was completed and how long it took."""

import dataclasses
import json
import shutil
import subprocess

from . import soap
from .problem import Problem


@dataclasses.dataclass
class Offer:
    request_bytes: int = 2048
    answer_bytes: int = 8192
    connections: int = 64
    rate: int = 0               # requests a second; 0: as fast as answers come
    new_connections: bool = False


@dataclasses.dataclass
class Result:
    completed: int
    errors: int
    seconds: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0


def _run(command, seconds, env=None):
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds * 3 + 30, check=False,
                              stdin=subprocess.DEVNULL, env=env)
    except subprocess.TimeoutExpired as error:
        raise Problem(f"{command[0]} was asked for {seconds:g} s and did not end") from error
    return done


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

    def run(self, url, ca_file, offer, seconds):
        script = self.folder / "request.lua"
        lines = "\n".join(f'wrk.headers["{name}"] = [[{value}]]' for name, value in soap.headers(offer.answer_bytes).items())
        script.write_text(WRK_SCRIPT.format(path=soap.PATH, body=soap.body(offer.request_bytes).decode(), headers=lines))
        whole = max(1, round(seconds))
        done = _run(["wrk", "-t1", f"-c{offer.connections}", f"-d{whole}s", "--latency", "-s", script, url], whole)
        for line in done.stdout.splitlines():
            if line.startswith("RESULT "):
                completed, errors, took, p50, p99 = line.split()[1:]
                return Result(int(completed), int(errors), float(took), float(p50), float(p99))
        raise Problem(f"wrk gave no result (status {done.returncode}):\n{done.stdout}{done.stderr}")


class RmsLoad:
    name = "rms-load"

    def __init__(self, bench):
        self.bench = bench
        self.folder = bench.new_folder("rms-load")

    @staticmethod
    def missing(bench):
        return bench.missing_program("rms-load")

    def run(self, url, ca_file, offer, seconds):
        report = self.folder / "result.json"
        report.unlink(missing_ok=True)
        command = [self.bench.program("rms-load"), url, "--op", "AcquireLicense", "--request-bytes", offer.request_bytes,
                   "--answer-bytes", offer.answer_bytes, "--connections", offer.connections, "--duration", f"{seconds:g}",
                   "--verify", "0%", "--quiet", "--json", report]
        command += ["--rate", offer.rate] if offer.rate else []
        command += ["--new-connections"] if offer.new_connections else []
        command += ["--ca", ca_file] if ca_file else []
        done = _run(command, seconds)
        if not report.exists():
            raise Problem(f"rms-load gave no result (status {done.returncode}):\n{done.stdout}{done.stderr}")
        return self.read(json.loads(report.read_text()))

    @staticmethod
    def read(report):
        latency = report["total"]["latency_us"]
        return Result(report["completed"], report["errors"], report["seconds"], latency["p50"] / 1e3, latency["p99"] / 1e3)
