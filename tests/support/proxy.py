"""Web proxies for tests: one whose answer to CONNECT is a Python function, and squid and tinyproxy, which are not ours, with configurations of the test's."""

import os
import pathlib
import select
import shutil
import socket
import subprocess
import threading

import pytest

from support import net
from support.wait import eventually

OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"
USER, PASSWORD = "svc-connector", "p&a s'w\"o<r>d=%+"


def tunnel(sock, head, to=None):
    """What a proxy does: connects to where it was asked, says so, and passes bytes."""
    host, port = head.split(" ")[1].rsplit(":", 1)
    try:
        other = socket.create_connection(to or (host.strip("[]"), int(port)), timeout=10)
    except OSError:
        sock.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        return
    sock.sendall(OPEN)
    pump(sock, other)


def pump(one, other):
    with other:
        while True:
            for ready in select.select([one, other], [], [], 20)[0]:
                data = ready.recv(65536)
                if not data:
                    return
                (other if ready is one else one).sendall(data)


class Proxy:
    """act(sock, head): what is done when the head of a CONNECT is there; when it returns, the connection is closed. heads: all that came."""

    def __init__(self, act=tunnel):
        self.act, self.heads, self.more, self.stopping = act, [], [], False
        self.listening = socket.create_server((net.HOST, 0), backlog=64)
        self.port = self.listening.getsockname()[1]
        self.url = f"http://{net.HOST}:{self.port}"
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        self.listening.settimeout(0.1)
        while not self.stopping:
            try:
                sock, _ = self.listening.accept()
            except (TimeoutError, socket.timeout):
                continue
            except OSError:
                return
            self.threads.append(threading.Thread(target=self._serve, args=(sock,), daemon=True))
            self.threads[-1].start()

    def _serve(self, sock):
        with sock:
            try:
                sock.settimeout(20)
                got = b""
                while b"\r\n\r\n" not in got:
                    data = sock.recv(65536)
                    if not data:
                        return
                    got += data
                head, more = got.split(b"\r\n\r\n", 1)
                self.heads.append(head.decode("latin-1"))
                self.more.append(more)  # nothing may come before the answer
                self.act(sock, self.heads[-1])
            except OSError:
                pass

    def stop(self):
        self.stopping = True
        self.listening.close()


def says(data):
    """The act that sends these bytes, and then waits for the node to go: what the node says after them is kept in the act's `after`."""
    def act(sock, _head):
        sock.sendall(data)
        while got := sock.recv(65536):
            act.after += got
    act.after = b""
    return act


class Program:
    """A real proxy, run in the foreground as a process of the test's."""

    def __init__(self, folder, command, port, log):
        self.port, self.url, self.log = port, f"http://{net.HOST}:{port}", pathlib.Path(log)
        self.output = open(pathlib.Path(folder) / "output", "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output)

        def answers():
            assert self.process.poll() is None, (pathlib.Path(folder) / "output").read_text()
            with socket.create_connection((net.HOST, port), timeout=1):
                return True
        eventually(lambda: _quietly(answers), 30)

    def connects(self):
        """How often it was asked for a way."""
        return self.log.read_text(errors="replace").count("CONNECT ") if self.log.exists() else 0

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.output.close()


def _quietly(answers):
    try:
        return answers()
    except OSError:
        return False


def _needs(program):
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    if not path:
        pytest.skip(f"{program} is not installed")
    return path


def squid(folder, credentials=None, deny=False):
    """credentials: (user, password) that it wants, by Basic."""
    folder, port = pathlib.Path(folder), net.free_port()
    command, rules = _needs("squid"), ["http_access deny all" if deny else "http_access allow all"]
    if credentials:
        made = subprocess.run(["openssl", "passwd", "-apr1", "-stdin"], input=credentials[1] + "\n", capture_output=True, text=True, check=True)
        (folder / "users").write_text(f"{credentials[0]}:{made.stdout.strip()}\n")
        os.chmod(folder / "users", 0o644)
        rules = [f"auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/users", "auth_param basic realm test",
                 "acl known proxy_auth REQUIRED", "http_access allow known", "http_access deny all"]
    os.chmod(folder, 0o777)  # it gives root up
    (folder / "squid.conf").write_text("\n".join([
        f"http_port {net.HOST}:{port}", "pid_filename none", "cache deny all", f"access_log stdio:{folder}/access", f"cache_log {folder}/cache",
        "pinger_enable off", "netdb_filename none", "shutdown_lifetime 0 seconds", f"coredump_dir {folder}", "visible_hostname squid.test",
        "max_filedescriptors 1024", "logfile_rotate 0", *rules]) + "\n")
    return Program(folder, [command, "-N", "-f", str(folder / "squid.conf")], port, folder / "access")


def tinyproxy(folder, credentials=None, deny=False):
    folder, port = pathlib.Path(folder), net.free_port()
    command, rules = _needs("tinyproxy"), []
    if credentials:
        rules.append(f"BasicAuth {credentials[0]} {credentials[1]}")
    if deny:
        rules.append("ConnectPort 1")
    (folder / "tinyproxy.conf").write_text("\n".join([
        f"Port {port}", f"Listen {net.HOST}", "Timeout 60", "MaxClients 100", f"LogFile \"{folder}/log\"", "LogLevel Connect", *rules]) + "\n")
    return Program(folder, [command, "-d", "-c", str(folder / "tinyproxy.conf")], port, folder / "log")
