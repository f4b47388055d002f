"""A cloud of raw bytes: a TLS server whose behaviour is a Python function, for answers no decent server would give.

script(connection, request) is called for each request; what it sends is what the node receives, record by record.
"""

import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

from support import soap
from support.caller import is_cut


@dataclass
class Request:
    """One request as the cloud received it."""
    raw_head: bytes
    body: bytes = b""
    complete: bool = False
    connection: int = 0
    framing: str = "none"
    trailers: list = field(default_factory=list)

    @property
    def lines(self):
        return self.raw_head.decode("latin-1").split("\r\n")

    @property
    def method(self):
        return self.lines[0].split(" ")[0]

    @property
    def target(self):
        return self.lines[0].split(" ")[1]

    @property
    def headers(self):
        return [tuple(part.strip(" ") for part in line.split(":", 1)) for line in self.lines[1:] if line]

    def header(self, name):
        found = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(found) <= 1, f"{name} reached the cloud {len(found)} times"
        return found[0] if found else None

    @property
    def operation(self):
        action = self.header("SOAPAction") or re.search(r'action="?([^";]+)', self.header("Content-Type") or "").group(1)
        return next(op for op in soap.OPERATIONS if op.action == action.strip('"'))


def answer(status=200, body=b"", headers=(), reason="OK", content_type="text/xml; charset=utf-8", length=True):
    lines = [("Content-Type", content_type), *headers] if content_type else list(headers)
    if length:
        lines.append(("Content-Length", str(len(body))))
    return (f"HTTP/1.1 {status} {reason}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines) + "\r\n").encode("latin-1") + body


def well(connection, request):
    """The script of a cloud that works."""
    version = 12 if (request.header("Content-Type") or "").startswith("application/soap+xml") else 11
    kind = "text/xml; charset=utf-8" if version == 11 else "application/soap+xml; charset=utf-8"
    connection.send(answer(body=soap.answer_body(request.operation, version), content_type=kind))


class Connection:
    """The cloud's end of one connection; scripts use it."""

    def __init__(self, cloud, sock, index):
        self.cloud, self.sock, self.index = cloud, sock, index
        self.buffer = b""
        self.ended = None  # how the node's side ended: "eof", "cut" (no close_notify), "rst"
        self.ended_at = None
        self.open = True

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            if not self.ended:
                self.ended, self.ended_at = "rst", time.monotonic()
            raise

    def send_pieces(self, data, size, delay=0.0):
        for at in range(0, len(data), size):
            self.send(data[at:at + size])
            if delay:
                time.sleep(delay)

    def finish(self):
        """TLS close_notify and FIN: the orderly end."""
        try:
            self.sock.settimeout(0.3)
            raw = self.sock.unwrap()
            raw.close()
        except OSError:
            self.sock.close()
        self.open = False

    def cut(self):
        """FIN without close_notify: truncation."""
        self.sock.close()
        self.open = False

    def half_close(self):
        """close_notify, but the connection stays."""
        self.sock.settimeout(0.3)
        try:
            self.sock.unwrap()
        except OSError:
            pass
        self.open = False

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()
        self.open = False

    def stall(self, seconds):
        """Says nothing; returns True as soon as the node has gone away."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.cloud.stopping:
            if self._more(0.05) is False:
                return True
        return False

    def _more(self, seconds):
        """True: bytes came; None: nothing came; False: the node ended."""
        if self.ended:
            return False
        self.sock.settimeout(seconds)
        try:
            got = self.sock.recv(262144)
        except (TimeoutError, socket.timeout, ssl.SSLWantReadError):
            return None
        except (ssl.SSLError, OSError) as problem:
            got, how = b"", "cut" if is_cut(problem) else "rst"
        else:
            how = "eof"
        finally:
            try:
                self.sock.settimeout(20)
            except OSError:
                pass
        if not got:
            self.ended, self.ended_at = how, time.monotonic()
            return False
        self.cloud.raw.setdefault(self.index, bytearray()).extend(got)
        self.buffer += got
        return True

    def wait_for(self, done):
        while not done():
            if self.cloud.stopping or self._more(0.1) is False:
                return False
        return True

    def read_head(self):
        if not self.wait_for(lambda: b"\r\n\r\n" in self.buffer):
            return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        request = Request(head, connection=self.index)
        self.cloud.requests.append(request)
        return request

    def read_body(self, request):
        """Reads the body as strictly as a cloud would; False when it never came whole."""
        length, coding = request.header("Content-Length"), request.header("Transfer-Encoding")
        assert length is None or coding is None, "both lengths reached the cloud"
        if coding is not None:
            assert coding == "chunked", coding
            request.framing = "chunked"
            whole = self._read_chunks(request)
        elif length is not None:
            request.framing = "length"
            whole = self.wait_for(lambda: len(self.buffer) >= int(length))
            request.body, self.buffer = self.buffer[:int(length)], self.buffer[int(length):]
        else:
            whole = True
        request.complete = whole
        return whole

    def _line(self):
        if not self.wait_for(lambda: b"\r\n" in self.buffer):
            return None
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _read_chunks(self, request):
        pieces = []
        while True:
            line = self._line()
            if line is None:
                request.body = b"".join(pieces)
                return False
            assert re.fullmatch(rb"[0-9a-f]{1,16}", line.lower()), f"chunk size line {line!r} reached the cloud"
            size = int(line, 16)
            if size == 0:
                while (line := self._line()) not in (b"", None):
                    request.trailers.append(line)
                request.body = b"".join(pieces)
                return line is not None
            whole = self.wait_for(lambda: len(self.buffer) >= size + 2)
            pieces.append(self.buffer[:size])
            request.body = b"".join(pieces)
            if not whole:
                return False
            assert self.buffer[size:size + 2] == b"\r\n"
            self.buffer = self.buffer[size + 2:]


class Upstream:
    """script: called when a whole request is there. on_head: called when its head is there; returns True when it took over.
    on_connect: called after the handshake; returns True when it took over."""

    def __init__(self, certs, script=well, on_head=None, on_connect=None, certificate="cloud", host="127.0.0.1", port=0, tls=None):
        self.script, self.on_head, self.on_connect = script, on_head, on_connect
        self.requests, self.connections, self.raw, self.problems = [], [], {}, []
        self.names, self.resumed, self.failed_handshakes = [], 0, []
        self.stopping = False
        self.context = tls or server_context(certs, certificate)
        self.context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        self.listening = socket.create_server((host, port), backlog=256, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.host, self.port = host, self.listening.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    @property
    def url(self):
        return f"https://[{self.host}]:{self.port}" if ":" in self.host else f"https://{self.host}:{self.port}"

    @property
    def whole(self):
        """Requests that arrived with their whole body."""
        return [request for request in self.requests if request.complete]

    def _accept(self):
        self.listening.settimeout(0.1)
        while not self.stopping:
            try:
                sock, _ = self.listening.accept()
            except (TimeoutError, socket.timeout):
                continue
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, raw):
        try:
            raw.settimeout(20)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = self.context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)
        except OSError as problem:
            self.failed_handshakes.append(str(problem))
            raw.close()
            return
        self.resumed += sock.session_reused
        connection = Connection(self, sock, len(self.connections))
        self.connections.append(connection)
        try:
            if self.on_connect and self.on_connect(connection):
                return
            while connection.open and not self.stopping:
                request = connection.read_head()
                if request is None:
                    break
                if self.on_head and self.on_head(connection, request):
                    continue
                if not connection.read_body(request):
                    break
                self.script(connection, request)
        except (BrokenPipeError, ConnectionError, ssl.SSLError, TimeoutError):
            pass
        except Exception as problem:  # pylint: disable=broad-except
            self.problems.append(repr(problem))
        finally:
            if connection.open:
                connection.sock.close()

    def stop(self):
        self.stopping = True
        self.listening.close()
        end = time.monotonic() + 5
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def server_context(certs, certificate="cloud", version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # a cut must not look like an end
    context.load_cert_chain(certs.chain(certificate), certs.key(certificate))
    if version:
        if version < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = version
        context.maximum_version = version
    return context
