"""A caller that sends exactly the bytes it is told, and reads answers as strictly as they could be read."""

import re
import socket
import ssl
import time
from dataclasses import dataclass, field

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) ([\x20-\x7e\x80-\xff]*)\Z")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t\x80-\xff]*?)[ \t]*\Z")


def is_cut(problem):
    """The connection ended without TLS saying so; two Pythons call it by two names."""
    return isinstance(problem, ssl.SSLEOFError) or "UNEXPECTED_EOF" in str(problem)


class Gone(AssertionError):
    """The connection ended where an answer, or the rest of one, was expected."""


@dataclass
class Answer:
    status: int
    reason: str
    headers: list  # of (name as sent, value)
    body: bytes = b""
    complete: bool = True
    interim: list = field(default_factory=list)  # statuses of the 1xx answers before it
    seconds: float = 0.0

    def header(self, name):
        found = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(found) <= 1, f"{name} came {len(found)} times: {found}"
        return found[0] if found else None

    @property
    def closes(self):
        return (self.header("Connection") or "").lower() == "close"

    @property
    def is_fault(self):
        return b":Fault>" in self.body


class RawCaller:
    """One connection to a node. Every wait has an end (timeout)."""

    def __init__(self, host, port, tls=None, server_name=None, timeout=15.0, source=None, receive_bytes=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(timeout)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_name or "rmsconnector.corp.test",
                                        suppress_ragged_eofs=False)
        self.buffer = b""
        self.ended = None  # "eof" or "rst"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- sending --

    def send(self, data):
        self.sock.sendall(data)

    def try_send(self, data):
        """False when the other side is already gone."""
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def send_pieces(self, data, sizes, delay=0.0):
        """data in pieces: an int cuts it evenly, a list says each size; the rest follows in one piece."""
        if isinstance(sizes, int):
            sizes = [sizes] * (len(data) // sizes)
        at = 0
        for size in [*sizes, len(data)]:
            if data[at:at + size]:
                self.send(data[at:at + size])
                at += size
                time.sleep(delay)

    def end(self):
        """FIN: nothing more will be sent; reading goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    # -- receiving --

    def _more(self):
        """Reads once. False at the end of the stream."""
        if self.ended:
            return False
        try:
            got = self.sock.recv(65536)
        except ConnectionError:
            self.ended = "rst"
            return False
        except ssl.SSLError as problem:
            if not is_cut(problem):
                raise
            self.ended = "cut"
            return False
        if not got:
            self.ended = "eof"
            return False
        self.buffer += got
        return True

    def _line(self):
        while b"\n" not in self.buffer:
            if not self._more():
                raise Gone(f"the connection ended ({self.ended}) after {self.buffer[:200]!r}")
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), f"a line without CR: {line!r}"
        line = line[:-1]
        assert b"\r" not in line and b"\0" not in line, f"bare CR or NUL in {line!r}"
        return line

    def _take(self, n, into):
        while len(into) < n:
            if not self.buffer and not self._more():
                return False
            piece = self.buffer[:n - len(into)]
            into += piece
            self.buffer = self.buffer[len(piece):]
        return True

    def _head(self):
        line = self._line()
        match = STATUS_LINE.match(line)
        assert match, f"not a status line: {line!r}"
        headers = []
        while (line := self._line()) != b"":
            header = FIELD.match(line)
            assert header, f"not a header line: {line!r}"
            headers.append((header.group(1).decode(), header.group(2).decode("latin-1")))
        return Answer(int(match.group(1)), match.group(2).decode("latin-1"), headers)

    def answer(self, method="POST", allow_cut=False):
        """The next final answer. allow_cut: an answer that ends early is returned with complete=False."""
        begun = time.monotonic()
        interim = []
        while True:
            answer = self._head()
            if answer.status >= 200:
                break
            assert answer.status != 101, "101 to a request that asked for no upgrade"
            assert answer.header("Content-Length") is None and answer.header("Transfer-Encoding") is None
            interim.append(answer.status)
        answer.interim = interim
        body = bytearray()
        length, coding = answer.header("Content-Length"), answer.header("Transfer-Encoding")
        assert length is None or coding is None, "both lengths in an answer"
        complete = True
        if method == "HEAD" or answer.status in (204, 304):
            assert coding is None
        elif coding is not None:
            assert coding == "chunked", f"Transfer-Encoding: {coding}"
            complete = self._chunks(body)
        elif length is not None:
            assert re.fullmatch(r"\d+", length), f"Content-Length: {length}"
            complete = self._take(int(length), body)
        else:
            assert answer.closes, "an answer without length on a connection that stays open"
            while self._more():
                pass
            body += self.buffer
            self.buffer = b""
            complete = self.ended == "eof"
        answer.body, answer.complete, answer.seconds = bytes(body), complete, time.monotonic() - begun
        if not complete and not allow_cut:
            raise Gone(f"answer {answer.status} was cut ({self.ended}) after {len(body)} bytes of its body")
        return answer

    def _chunks(self, body):
        try:
            while True:
                line = self._line()
                assert re.fullmatch(rb"[0-9a-fA-F]{1,16}", line), f"chunk size line {line!r}"
                size = int(line, 16)
                if size == 0:
                    assert self._line() == b"", "trailers in an answer"
                    return True
                if not self._take(len(body) + size, body):
                    return False
                assert self._line() == b""
        except Gone:
            return False

    def ask(self, data, method="POST", **how):
        self.send(data)
        return self.answer(method, **how)

    def rest(self, seconds=2.0):
        """What still comes: (bytes, "eof" | "rst" | "cut" | "open"). open: the connection stayed quiet for that long."""
        self.sock.settimeout(seconds)
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end and self._more():
                pass
        except (TimeoutError, socket.timeout):
            pass
        got, self.buffer = self.buffer, b""
        return got, self.ended or "open"

    def expect_end(self, seconds=5.0):
        """The node closes and says nothing more."""
        got, how = self.rest(seconds)
        assert got == b"" and how in ("eof", "rst", "cut"), f"expected the end, got {got[:200]!r} and then {how}"
        return how


def client_context(certs, version=None, ciphers=None, verify=True):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # a cut must not look like an end
    context.load_verify_locations(certs.ca)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if version:
        if version < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = version
        context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    return context
