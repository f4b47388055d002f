"""The cloud stand-in that every peer relays to: rms-cloud-sim, with fixed answers as large as the request asks for, at once or after 50 ms; and once
with its real answers, to learn what reached it."""

import json
import urllib.request

from .process import Process, free_port

SLOW_MS = 50
KINDS = {"quick": ["--bench-answer", 8192], "slow": ["--bench-answer", 8192, "--delay-ms", SLOW_MS], "real": []}


class Cloud:
    def __init__(self, bench, kind):
        c = bench.certificates
        self.port, self.control = free_port(), free_port()
        command = [bench.program("rms-cloud-sim"), "--listen", f"127.0.0.1:{self.port}", "--tls-cert", c.cloud[0], "--tls-key", c.cloud[1],
                   "--control", f"127.0.0.1:{self.control}", *KINDS[kind]]
        self.process = Process(f"{kind}-cloud", command, bench.new_folder(kind))

    def start(self):
        self.process.start()
        self.process.wait_listening(self.port, self.control)
        return self

    def seen(self, last=0):
        """What it tells of requests and connections."""
        self.process.check_alive()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control}/seen?last={last}", timeout=10) as answer:
            return json.load(answer)

    def stop(self):
        self.process.stop()
