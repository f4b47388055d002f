"""The parts of bench/authd. Each gives what it measured, and the lines of its table."""

import json
import os
import statistics
import subprocess
import time

from . import handshakes
from .problem import Problem
from .process import Process
from .report import figure, paired_ratio

READY_S = 20
WARM = 50                    # tickets before the clock runs
IN_FLIGHT = 16


class Authd:
    """rms-connector-authd alone, on a socket that no node uses."""

    def __init__(self, bench, threads, auth=(), realms="", env=None, wrap=()):
        self.folder = bench.new_folder("authd")
        self.socket = self.folder / "authd.socket"
        config = self.folder / "authd.yaml"
        lines = "".join(f"  {name}: {value}\n" for name, value in auth)
        config.write_text(f"listeners:\n  - address: 127.0.0.1:1\nupstream:\n  url: https://127.0.0.1:1\nauth:\n  socket: {self.socket}\n"
                          f"  threads: {threads}\n{lines}{realms}")
        self.process = Process("authd", [*wrap, bench.program("rms-connector-authd"), "-c", config], self.folder, env)

    def __enter__(self):
        self.process.start()
        end = time.monotonic() + READY_S
        while not self.socket.exists():
            self.process.check_alive()
            if time.monotonic() > end:
                raise Problem(f"authd did not start in {READY_S} s. It said:\n{self.process.words()}")
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.process.stop(10)


def through_authd(bench, tickets, threads, count):
    """{"cpu_us_each", "rate"} of count tickets."""
    with Authd(bench, threads, [("keytab", tickets.keytab)], env=tickets.env) as authd:
        def run(number):
            return json.loads(tickets.accept(bench, "--count", number, "--authd", authd.socket, "--in-flight", IN_FLIGHT))
        run(WARM)
        before = authd.process.cpu_seconds()
        told = run(count)
        return {"cpu_us_each": (authd.process.cpu_seconds() - before) / count * 1e6, "rate": count / told["seconds"],
                "token_bytes": told["token_bytes"]}


def barely(bench, tickets, threads, count, pac):
    told = tickets.bare(bench, count, threads, pac)
    return {**told, "rate": count / told["seconds"]}


def kerberos(bench, chosen):
    tickets, n = bench.tickets, chosen.tickets
    ways = {"bare": lambda threads: barely(bench, tickets, threads, n, False), "bare, PAC read": lambda threads: barely(bench, tickets, threads, n, True),
            "authd": lambda threads: through_authd(bench, tickets, threads, n)}
    runs = {(way, threads): [] for way in ways for threads in (1, 2)}
    for _ in range(chosen.rounds):
        for way, threads in runs:
            runs[way, threads].append(ways[way](threads))
    lines = [["a ticket", "threads", "CPU us each", "against bare", "a second"]]
    document = []
    for (way, threads), told in runs.items():
        cpu, floor = ([one["cpu_us_each"] for one in row] for row in (told, runs["bare", threads]))
        row = {"way": way, "threads": threads, "cpu_us_each": statistics.median(cpu), "ratio": paired_ratio(cpu, floor),
               "rate": statistics.median(one["rate"] for one in told), "runs": told}
        document.append(row)
        lines.append([way, str(threads), figure(row["cpu_us_each"]), figure(row["ratio"]), figure(row["rate"])])
    return document, lines


def ntlm(bench, chosen):
    """In the Active Directory of the tests, which wants namespaces of its own."""
    try:
        with handshakes.laboratory(bench) as lab:
            runs = {"bare ntlm_auth": [], "authd": []}
            for _ in range(chosen.rounds):
                with handshakes.BareHelper(lab) as helper:
                    runs["bare ntlm_auth"].append(handshakes.run(helper, chosen.handshakes))
                auth = [("ntlm", "winbind"), ("keytab", lab.keytab)]
                realms = "realms:\n  - name: CORP.TEST\n"
                with Authd(bench, 2, auth, realms, lab.env(), lab.wrap()) as authd, handshakes.ThroughAuthd(authd, lab) as wire:
                    runs["authd"].append(handshakes.run(wire, chosen.handshakes))
    except handshakes.Unavailable as reason:
        return {"skipped": str(reason)}, [[f"NTLM was not measured: {reason}"]]
    lines = [["an NTLM handshake, one after another", "a second", "CPU us each, with helper"]]
    for way, told in runs.items():
        lines.append([way, *(figure(statistics.median(one[key] for one in told)) for key in ("rate", "cpu_us_each"))])
    return runs, lines


def decisions(bench, chosen):
    runs = []
    for _ in range(chosen.rounds):
        done = subprocess.run([bench.program("rms-decide"), "1000", "100000", "0.3"], capture_output=True, text=True, check=False, env=os.environ)
        if done.returncode:
            raise Problem(f"rms-decide ended with status {done.returncode}: {done.stderr}")
        runs.append(json.loads(done.stdout))

    def middle(look):
        return figure(statistics.median(look(run) for run in runs))
    lines = [["a list of 1,000 entries with 100,000 accounts in expanded groups", ""],
             ["read its document, ms", middle(lambda run: run["read_ms"])], ["publish it, ms", middle(lambda run: run["publish_ms"])],
             ["memory of a snapshot, MiB", middle(lambda run: run["heap_bytes"] / 1024 / 1024)]]
    for at, speed in enumerate(runs[0]["speeds"]):
        lines.append([f"decide about a caller of {speed['groups']} groups, us", middle(lambda run, at=at: run["speeds"][at]["decide_ns"] / 1e3)])
        lines.append(["    and a second, by one thread", middle(lambda run, at=at: 1e9 / run["speeds"][at]["decide_ns"])])
    lines.append(["see that a decision still holds, ns", middle(lambda run: run["speeds"][0]["still_ns"])])
    return runs, lines
