"""A name server for tests: A and AAAA records with a time to live, and whatever should go wrong."""

import socket
import struct
import threading

A, AAAA = 1, 28


class Dns:
    """records: {"name": [("127.0.0.1", ttl), ("::1", ttl)]}. fail: {"name": rcode}. silent: names never answered."""

    def __init__(self, records=None, fail=None, silent=()):
        self.records, self.fail, self.silent = dict(records or {}), dict(fail or {}), set(silent)
        self.questions = []  # (name, type)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(0.1)
        self.stopping = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.sock.getsockname()[1]}"

    def asked(self, name, kind=A):
        return sum(1 for question in self.questions if question == (name, kind))

    def stop(self):
        self.stopping = True
        self.thread.join(2)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _run(self):
        while not self.stopping:
            try:
                query, peer = self.sock.recvfrom(4096)
            except (TimeoutError, socket.timeout):
                continue
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            name, kind = ".".join(labels).lower(), struct.unpack("!H", query[at + 1:at + 3])[0]
            question = query[12:at + 5]
            self.questions.append((name, kind))
            if name in self.silent:
                continue
            rcode = self.fail.get(name, 0 if name in self.records else 3)
            found = [] if rcode else [(address, ttl) for address, ttl in self.records[name] if (":" in address) == (kind == AAAA)]
            reply = query[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, len(found), 0, 0) + question
            for address, ttl in found:
                data = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
                reply += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data
            self.sock.sendto(reply, peer)
