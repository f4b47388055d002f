"""HAProxy and nginx as docs/load-balancing.md sets them up, on addresses of the test."""

import os
import re
import shutil
import signal
import socket
import subprocess

from support import net
from support.node import ROOT
from support.wait import eventually


def example(language):
    text = (ROOT / "docs/load-balancing.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
    return found


class Balancer:
    """kind: "haproxy" or "nginx". Its own port spreads connections over two nodes' ports. change(text): another configuration than the example."""

    def __init__(self, kind, folder, ports, change=lambda text: text):
        assert shutil.which(kind), f"{kind} is missing"
        self.port = net.free_port()
        self.log = folder / f"{kind}.log"
        config = folder / f"{kind}.conf"
        text = change(example(kind))
        for at, (host, port) in {"192.0.2.10:443": (net.HOST, self.port), "192.0.2.11:443": (net.HOST, ports[0]),
                                 "192.0.2.12:443": (net.HOST, ports[-1])}.items():
            assert at in text
            text = text.replace(at, f"{host}:{port}")
        if kind == "haproxy":
            command = ["haproxy", "-db", "-f", config]
        else:
            user = "user root;\n" if os.geteuid() == 0 else ""
            text = (f"{user}load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\n"
                    f"error_log stderr warn;\nevents {{}}\n" + text)
            command = ["nginx", "-c", config, "-p", folder, "-e", "stderr"]
        config.write_text(text)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        eventually(self._listens, 10)

    def _listens(self):
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex((net.HOST, self.port)) == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
