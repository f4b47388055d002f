"""rms-connectorctl and the socket behind it: running it, talking past it, and a node that has both."""

import json
import os
import re
import socket
import subprocess

from support.node import ROOT, program


def ctl(*words, relay=None, **how):
    where = ["--socket", relay.socket] if relay else []
    return subprocess.run([program("rms-connectorctl"), *where, *words], capture_output=True, text=True, timeout=30, **how)


def ask(command, **arguments):
    return json.dumps({"version": 1, "command": command, "arguments": arguments}).encode() + b"\n"


def talk(path, *lines):
    """The answers to raw lines, until the node closes or each line has one."""
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(10)
        end.connect(path)
        end.sendall(b"".join(lines))
        end.shutdown(socket.SHUT_WR)
        got = b""
        while more := end.recv(65536):
            got += more
    return [json.loads(line) for line in got.splitlines()]


def rows():
    """The commands of core/ops/admin.def."""
    return re.findall(r'^ADMIN\("([^"]+)"', (ROOT / "core/ops/admin.def").read_text(encoding="utf-8"), re.M)


def examples(path):
    """The examples of a document: (command, lines that follow it) of its console blocks; [65] is an exit code."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def run_example(command, relay):
    """What a shell shows, with the programs of this tree and the node's socket."""
    folder = os.path.dirname(program("rms-connectorctl"))
    if "--socket" not in command:
        command = command.replace("rms-connectorctl", f"rms-connectorctl --socket {relay.socket}")
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
                          env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "STATE": relay.state})
    return done.stdout.splitlines() + ([f"[{done.returncode}]"] if done.returncode else [])


def matches(shown, have):
    """... in the document stands for anything on its line."""
    return len(shown) == len(have) and all(
        re.fullmatch(".*".join(re.escape(part) for part in want.split("...")), got) for want, got in zip(shown, have))


def result(*words, relay):
    answer = json.loads(ctl("--json", *words, relay=relay).stdout)
    assert answer["ok"], answer
    return answer["result"]


LIST = {"version": 1,
        "entries": [
            {"sid": "S-1-5-21-1-2-3-1104", "role": "exchange", "name": "CORP\\Exchange Servers", "kind": "group", "added": "2026-11-20T10:00:00Z"},
            {"sid": "S-1-5-21-1-2-3-1120", "role": "fci", "name": "CORP\\FS01$", "kind": "computer", "added": "2026-11-21T10:00:00Z"},
            {"sid": "S-1-5-21-7-8-9-1120", "role": "fci", "name": "SUB\\FS01$", "kind": "computer", "added": "2026-11-21T11:00:00Z"},
            {"principal": "sp@EXAMPLE.ORG", "role": "sharepoint", "added": "2026-11-22T10:00:00Z"}],
        "deny": [{"sid": "S-1-5-21-1-2-3-1120", "until": "2030-12-24T00:00:00Z", "why": "under examination"}]}


def put_list(place, document):
    path = f"{place}/list.json"
    with open(path + ".new", "w") as out:
        json.dump(document, out) if isinstance(document, dict) else out.write(document)
    os.rename(path + ".new", path)
    return path
