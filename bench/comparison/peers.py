"""The programs that are compared, each set up as those who know it would: one worker, kept TLS 1.3 connections to the cloud stand-in with its
certificate and name verified and sessions resumed, no limit in the way of the scenario."""

import dataclasses
import os
import shutil

from .problem import Problem
from .process import Process, free_port

MIB = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a scenario wants of every peer."""
    workers: int = 1
    log: bool = False           # the peers' request log; the node's is always on
    tls_in: bool = False
    cloud: str = "quick"        # cloud.KINDS
    connections: int = 4000     # callers at once; the descriptor limit sets the ceiling
    upstream: int = 512


class Peer:
    """One running program. url and port are what its callers use."""
    name = ""
    title = ""

    def __init__(self, bench, shape, wrap=()):
        """wrap: a command that runs the program, such as a profiler."""
        self.bench, self.shape, self.port = bench, shape, free_port()
        self.folder = bench.new_folder(self.name)
        self.cloud = bench.cloud(shape.cloud)
        self.cloud_port = self.cloud.port
        self.process = Process(self.name, [*wrap, *self.command()], self.folder, self.env())

    @property
    def url(self):
        return f"{'https' if self.shape.tls_in else 'http'}://127.0.0.1:{self.port}"

    @property
    def ca_file(self):
        return self.bench.certificates.ca if self.shape.tls_in else None

    def start(self, seconds=10):
        self.process.start()
        return self.process.wait_listening(self.port, seconds=seconds)

    def stop(self, seconds=3):
        self.process.stop(seconds)

    def command(self):
        raise NotImplementedError

    def env(self):
        return {}

    def credentials(self):
        """Lines of header for the first request on a connection."""
        return ""

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


class Floor(Peer):
    name, title = "floor", "floor"

    @classmethod
    def missing(cls, bench):
        return bench.missing_program("rms-floor")

    def command(self):
        c = self.bench.certificates
        tls = ["--tls-cert", c.proxy[0], "--tls-key", c.proxy[1]] if self.shape.tls_in else []
        return [self.bench.program("rms-floor"), "--listen", f"127.0.0.1:{self.port}", *tls, "--upstream", f"127.0.0.1:{self.cloud_port}",
                "--upstream-name", "localhost", "--ca", c.ca, "--workers", self.shape.workers]


class Node(Peer):
    name, title = "node", "node"
    arguments = ("--loopback-caller", r"CORP\exch$=exchange")

    stats_port = None
    cache = False  # what is measured is the way to the cloud

    @classmethod
    def missing(cls, bench):
        return bench.missing_program("rms-connectord")

    def command(self):
        c, s = self.bench.certificates, self.shape
        self.stats_port = free_port()
        tls = f"\n    tls:\n      - certificate: {c.proxy[0]}\n        key: {c.proxy[1]}" if s.tls_in else ""
        config = self.write("node.yaml", f"""\
node:
  workers: {s.workers}
  drain_delay_s: 0
  drain_timeout_s: 1
listeners:
  - address: 127.0.0.1:{self.port}{tls}
limits:
  connections: {s.connections}
  request_body_bytes: {128 * MIB}
upstream:
  url: https://localhost:{self.cloud_port}
  ca_file: {c.ca}
  connections: {s.upstream}
  connect_timeout_ms: 30000
  requests_per_10s: 0
credentials:
  - name: none
    kind: none
log:
  requests_file: {self.folder}/requests.json
cache:
  enabled: {"true" if self.cache else "false"}
admin:
  socket: ""
stats:
  address: 127.0.0.1:{self.stats_port}
{self.sections()}""")
        return [self.bench.program("rms-connectord"), "-c", config, *self.arguments]

    def sections(self):
        """Further ones of its configuration."""
        return ""


class Nginx(Peer):
    name, title = "nginx", "nginx"

    @classmethod
    def missing(cls, bench):
        return [] if shutil.which("nginx") else ["nginx"]

    def command(self):
        c, s = self.bench.certificates, self.shape
        log = f"{self.folder}/access.log combined buffer=64k flush=1s" if s.log else "off"
        tls = f"""
    ssl_certificate {c.proxy[0]};
    ssl_certificate_key {c.proxy[1]};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ecdh_curve X25519:prime256v1;
    ssl_session_cache shared:callers:10m;""" if s.tls_in else ""
        user = "user root;\n" if os.geteuid() == 0 else ""  # its workers must reach our temporary folder
        config = self.write("nginx.conf", f"""\
{user}daemon off;
worker_processes {s.workers};
worker_rlimit_nofile {self.bench.files};
pid {self.folder}/nginx.pid;
error_log stderr warn;
events {{
  worker_connections {s.connections + s.upstream + 100};
  multi_accept on;
}}
http {{
  access_log {log};
  client_body_temp_path {self.folder}/body;
  proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/fastcgi;
  uwsgi_temp_path {self.folder}/uwsgi;
  scgi_temp_path {self.folder}/scgi;
  client_max_body_size 0;
  keepalive_timeout 180s;
  keepalive_requests 1000000000;
  upstream cloud {{
    server 127.0.0.1:{self.cloud_port};
    keepalive {s.upstream};
    keepalive_requests 1000000000;
    keepalive_timeout 60s;
  }}
  server {{
    listen 127.0.0.1:{self.port}{' ssl' if s.tls_in else ''} reuseport backlog=4096;{tls}
    location / {{
      proxy_pass https://cloud;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
      proxy_ssl_server_name on;
      proxy_ssl_name localhost;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {c.ca};
      proxy_ssl_session_reuse on;
      proxy_ssl_protocols TLSv1.3;
      proxy_connect_timeout 30s;
      {self.buffers()}
    }}
  }}
}}
""")
        return [shutil.which("nginx"), "-c", config, "-p", self.folder, "-e", "stderr"]

    @staticmethod
    def buffers():
        return """client_body_buffer_size 64k;
      proxy_request_buffering off;
      proxy_buffer_size 16k;
      proxy_buffers 4 256k;
      proxy_busy_buffers_size 512k;
      proxy_max_temp_file_size 0;"""


class Haproxy(Peer):
    name, title = "haproxy", "HAProxy"
    buffer_bytes = 16384

    @classmethod
    def missing(cls, bench):
        return [] if shutil.which("haproxy") else ["haproxy"]

    def command(self):
        c, s = self.bench.certificates, self.shape
        log = ("log stdout len 1024 format raw local0", "log global\n  option httplog") if s.log else ("", "no log")
        tls = f" ssl crt {c.proxy_pair} curves X25519:P-256 ssl-min-ver TLSv1.2" if s.tls_in else ""
        config = self.write("haproxy.cfg", f"""\
global
  nbthread {s.workers}
  maxconn {s.connections}
  no strict-limits
  {log[0]}
  tune.bufsize {self.buffer_bytes}
  tune.maxrewrite 1024
  tune.pool-low-fd-ratio 90
  tune.pool-high-fd-ratio 95
defaults
  mode http
  {log[1]}
  http-reuse always
  timeout client 180s
  timeout server 180s
  timeout connect 30s
  timeout http-keep-alive 180s
frontend callers
  bind 127.0.0.1:{self.port}{tls} backlog 4096
  maxconn {s.connections}
  default_backend cloud
backend cloud
  http-request set-header Host localhost
  server cloud 127.0.0.1:{self.cloud_port} ssl verify required ca-file {c.ca} sni str(localhost) verifyhost localhost ssl-min-ver TLSv1.3 \
pool-max-conn -1 pool-purge-delay 60s
""")
        return [shutil.which("haproxy"), "-db", "-f", config]


class Haproxy64(Haproxy):
    name, title = "haproxy64", "HAProxy 64K"
    buffer_bytes = 65536


ALL = {peer.name: peer for peer in (Floor, Node, Nginx, Haproxy, Haproxy64)}


def known(names):
    wrong = [name for name in names if name not in ALL]
    if wrong:
        raise Problem(f"no such peer: {', '.join(wrong)}. There are: {', '.join(ALL)}")
    return [ALL[name] for name in names]
