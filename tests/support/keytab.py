"""MIT's keytab files as rows, to make such as a restore, a password change or an old export leave behind."""

import dataclasses
import struct

AES256, AES128 = 18, 17


@dataclasses.dataclass(frozen=True)
class Key:
    principal: str  # HTTP/rms.corp.test@CORP.TEST; no escapes
    kvno: int
    enctype: int
    key: bytes
    made_s: int = 1_700_000_000

    def other_key(self):
        """As from another password."""
        return dataclasses.replace(self, key=bytes(b ^ 0x5A for b in self.key))

    def encode(self):
        def counted(text):
            return struct.pack(">H", len(text)) + text
        name, realm = self.principal.rsplit("@", 1)
        parts = name.split("/")
        body = struct.pack(">H", len(parts)) + counted(realm.encode()) + b"".join(counted(p.encode()) for p in parts)
        body += struct.pack(">IIBH", 1, self.made_s, self.kvno & 0xFF, self.enctype) + counted(self.key) + struct.pack(">I", self.kvno)
        return struct.pack(">i", len(body)) + body


def _decode(body):
    at = 0

    def number(form):
        nonlocal at
        at += struct.calcsize(form)
        return struct.unpack(form, body[at - struct.calcsize(form):at])[0]

    def counted():
        nonlocal at
        n = number(">H")
        at += n
        return body[at - n:at]
    count, realm = number(">H"), counted().decode()
    name = "/".join(counted().decode() for _ in range(count))
    number(">I")
    made, kvno, enctype = number(">I"), number(">B"), number(">H")
    key = counted()
    if len(body) - at >= 4:
        kvno = number(">I") or kvno
    return Key(f"{name}@{realm}", kvno, enctype, key, made)


def read(path):
    data = path.read_bytes()
    assert data[:2] == b"\x05\x02", "no keytab of version 2"
    keys, at = [], 2
    while at < len(data):
        n = struct.unpack(">i", data[at:at + 4])[0]
        if n > 0:
            keys.append(_decode(data[at + 4:at + 4 + n]))
        at += 4 + abs(n)
    return keys


def write(path, keys):
    """In one step, as it should be done."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(b"\x05\x02" + b"".join(key.encode() for key in keys))
    fresh.chmod(0o600)
    fresh.replace(path)
    return path
