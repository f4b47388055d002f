"""The request that every peer relays: an AcquireLicense call of exactly the size that is asked for, and its bare HTTP client."""

import base64
import functools
import hashlib
import random
import socket
import ssl

from .problem import Problem

PATH = "/_wmcs/licensing/license.asmx"
ACTION = '"http://microsoft.com/DRM/LicensingService/AcquireLicense"'
BEFORE = ('<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header>'
          '<VersionData xmlns="http://microsoft.com/DRM/LicensingService"><MinimumVersion>1.1.0.0</MinimumVersion>'
          '<MaximumVersion>1.1.0.0</MaximumVersion></VersionData></soap:Header><soap:Body>'
          '<AcquireLicense xmlns="http://microsoft.com/DRM/LicensingService"><RequestParams><AcquireLicenseParams><LicenseeCerts>'
          '<Certificate>')
AFTER = ('</Certificate></LicenseeCerts></AcquireLicenseParams></RequestParams></AcquireLicense></soap:Body></soap:Envelope>')
SMALLEST = len(BEFORE) + len(AFTER)


@functools.lru_cache(maxsize=8)
def body(size):
    """No two stretches of it are alike, so that bytes in the wrong place show."""
    if size < SMALLEST:
        raise ValueError(f"an AcquireLicense request has at least {SMALLEST} bytes")
    filler = base64.b64encode(random.Random(size).randbytes((size - SMALLEST) // 4 * 3))
    return BEFORE.encode() + filler + b"A" * ((size - SMALLEST) % 4) + AFTER.encode()


def headers(answer_bytes):
    return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": ACTION, "User-Agent": f"rms-load answer={answer_bytes}"}


def head(request_bytes, answer_bytes, host="localhost", more=""):
    """more: lines of header, each with its end."""
    lines = [f"POST {PATH} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers(answer_bytes).items()),
             f"Content-Length: {request_bytes}", more]
    return ("\r\n".join(lines) + "\r\n").encode()


class Connection:
    """A caller's connection; requests one after another, every answer with a Content-Length."""

    def __init__(self, port, ca_file=None, timeout=60.0):
        self.io = socket.create_connection(("127.0.0.1", port), timeout)
        self.io.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca_file:
            self.io = context(ca_file).wrap_socket(self.io, server_hostname="localhost")

    def send(self, request, answer_bytes, more=""):
        self.io.sendall(head(len(request), answer_bytes, more=more) + request[:16384])
        self.io.sendall(memoryview(request)[16384:])

    def post(self, request, answer_bytes, pause=None, more=""):
        """Sends and reads the answer; its SHA-256. pause(bytes so far) may dawdle."""
        self.send(request, answer_bytes, more)
        return self.answer(answer_bytes, pause)

    def answer(self, answer_bytes, pause=None):
        space = bytearray(256 * 1024)
        view, got = memoryview(space), b""
        while b"\r\n\r\n" not in got:
            n = self.io.recv_into(view)
            if n == 0:
                raise Problem(f"the connection was closed in the head of an answer: {got[:200]!r}")
            got += view[:n]
        first, _, rest = got.partition(b"\r\n\r\n")
        names = {line.split(b":")[0].strip().lower(): line.partition(b":")[2].strip() for line in first.split(b"\r\n")[1:]}
        if first.split(b" ")[1:2] != [b"200"] or names.get(b"content-length") != b"%d" % answer_bytes:
            raise Problem(f"wanted 200 and {answer_bytes} bytes of answer, got: {first[:300].decode(errors='replace')}\n"
                          f"    {rest[:300].decode(errors='replace')}")
        digest, done = hashlib.sha256(rest), len(rest)
        while done < answer_bytes:
            n = self.io.recv_into(view)
            if n == 0:
                raise Problem(f"the connection was closed after {done} of {answer_bytes} bytes of an answer")
            digest.update(view[:n])
            done += n
            if pause:
                pause(done)
        return digest.hexdigest()

    def close(self):
        self.io.close()


_contexts = {}


def context(ca_file):
    if ca_file not in _contexts:
        made = ssl.create_default_context(cafile=str(ca_file))
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        _contexts[ca_file] = made
    return _contexts[ca_file]
