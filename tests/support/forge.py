"""Tickets as a domain controller of Windows makes them, and as nobody should: made here with the service's own key, PAC and all. What a KDC of MIT
cannot be made to issue. Cryptography by libk5crypto, ASN.1 and NDR by hand."""

import ctypes
import dataclasses
import os
import struct
import time

from support.keytab import AES256

KDC_TICKET, PAC_CHECKSUM, HMAC_SHA1_AES256 = 2, 17, 16
LOGON, SERVER_SIGNATURE, KDC_SIGNATURE, CLIENT, UPN, REQUESTOR = 1, 6, 7, 10, 12, 18
ENABLED = 7
INITIAL = 0x00400000

_crypto = ctypes.CDLL("libk5crypto.so.3")


class _Data(ctypes.Structure):
    _fields_ = [("magic", ctypes.c_int32), ("length", ctypes.c_uint), ("data", ctypes.c_char_p)]


class _Key(ctypes.Structure):
    _fields_ = [("magic", ctypes.c_int32), ("enctype", ctypes.c_int32), ("length", ctypes.c_uint), ("contents", ctypes.c_char_p)]


class _Encrypted(ctypes.Structure):
    _fields_ = [("magic", ctypes.c_int32), ("enctype", ctypes.c_int32), ("kvno", ctypes.c_uint32), ("text", _Data)]


class _Checksum(ctypes.Structure):
    _fields_ = [("magic", ctypes.c_int32), ("kind", ctypes.c_int32), ("length", ctypes.c_uint), ("contents", ctypes.c_void_p)]


def _encrypt(key, usage, plain):
    room = ctypes.create_string_buffer(len(plain) + 64)
    out = _Encrypted(0, 0, 0, _Data(0, len(room), ctypes.cast(room, ctypes.c_char_p)))
    code = _crypto.krb5_c_encrypt(None, ctypes.byref(_Key(0, AES256, len(key), key)), usage, None,
                                  ctypes.byref(_Data(0, len(plain), plain)), ctypes.byref(out))
    assert code == 0, code
    return room.raw[:out.text.length]


def _checksum(key, data):
    out = _Checksum()
    code = _crypto.krb5_c_make_checksum(None, HMAC_SHA1_AES256, ctypes.byref(_Key(0, AES256, len(key), key)), PAC_CHECKSUM,
                                        ctypes.byref(_Data(0, len(data), data)), ctypes.byref(out))
    assert code == 0, code
    return ctypes.string_at(out.contents, out.length)


# ---- ASN.1 ----

def _der(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + size + body


def _number(n):
    return _der(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def _field(n, *parts):
    return _der(0xA0 + n, *parts)


def _sequence(*parts):
    return _der(0x30, *parts)


def _name(kind, name):
    return _sequence(_field(0, _number(kind)), _field(1, _sequence(*(_der(0x1B, part.encode()) for part in name.split("/")))))


def _when(seconds):
    return _der(0x18, time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds)).encode())


# ---- PAC ----

def sid_bytes(text):
    _, one, authority, *subs = text.split("-")
    return bytes([int(one), len(subs)]) + int(authority).to_bytes(6, "big") + struct.pack(f"<{len(subs)}I", *map(int, subs))


@dataclasses.dataclass
class Account:
    """What a PAC says of an account. groups: numbers in its domain; extra: whole SIDs; deny: numbers that are there for denials only."""
    name: str = "exch01"
    domain: str = "CORP"
    domain_sid: str = "S-1-5-21-1-2-3"
    rid: int = 1104
    primary: int = 513
    groups: tuple = (513, 1200)
    extra: tuple = ()
    deny: tuple = ()
    resource_domain: str = ""
    resource: tuple = ()

    @property
    def sid(self):
        return f"{self.domain_sid}-{self.rid}"

    def logon(self):
        """KERB_VALIDATION_INFO, [MS-PAC] 2.5."""
        late, pointer = [], iter(range(0x20004, 0x40000, 4))

        def text(value):
            raw = value.encode("utf-16-le")
            if not raw:
                return struct.pack("<HHI", 0, 0, 0)
            late.append(struct.pack("<III", len(raw) // 2, 0, len(raw) // 2) + raw + bytes(-len(raw) % 4))
            return struct.pack("<HHI", len(raw), len(raw), next(pointer))

        def whole(sid):
            return struct.pack("<I", sid_bytes(sid)[1]) + sid_bytes(sid)

        def numbers(rids):
            late.append(struct.pack("<I", len(rids)) + b"".join(struct.pack("<II", rid, attributes) for rid, attributes in rids))
            return next(pointer)
        groups = [(rid, ENABLED) for rid in self.groups] + [(rid, 0x10) for rid in self.deny]
        fixed = bytes(48) + text(self.name) + b"".join(text("") for _ in range(5)) + struct.pack("<HHII", 5, 0, self.rid, self.primary)
        flags = (0x20 if self.extra else 0) | (0x200 if self.resource else 0)
        fixed += struct.pack("<II", len(groups), numbers(groups)) + struct.pack("<I", flags) + bytes(16)
        fixed += text("DC1") + text(self.domain)
        late.append(whole(self.domain_sid))
        fixed += struct.pack("<I", next(pointer)) + bytes(40)
        if self.extra:
            late.append(struct.pack("<I", len(self.extra)) + b"".join(struct.pack("<II", next(pointer), ENABLED) for _ in self.extra) +
                        b"".join(map(whole, self.extra)))
        fixed += struct.pack("<II", len(self.extra), next(pointer) if self.extra else 0)
        if self.resource:
            late.append(whole(self.resource_domain))
            fixed += struct.pack("<III", next(pointer), len(self.resource), next(pointer))
            numbers([(rid, ENABLED) for rid in self.resource])
        else:
            fixed += bytes(12)
        body = struct.pack("<I", 0x20000) + fixed + b"".join(late)
        body += bytes(-len(body) % 8)
        return b"\x01\x10\x08\0\xcc\xcc\xcc\xcc" + struct.pack("<II", len(body), 0) + body


def pac(buffers, key):
    """buffers: {kind: bytes}; signed with that key. Reads [MS-PAC] 2.3 and 2.8."""
    unsigned = struct.pack("<I", HMAC_SHA1_AES256) + bytes(12)
    rows = [*buffers.items(), (SERVER_SIGNATURE, unsigned), (KDC_SIGNATURE, unsigned)]
    head, body, places = struct.pack("<II", len(rows), 0), b"", {}
    for kind, data in rows:
        places[kind] = 8 + 16 * len(rows) + len(body)
        head += struct.pack("<IIQ", kind, len(data), places[kind])
        body += data + bytes(-len(data) % 8)
    whole = bytearray(head + body)
    server = _checksum(key, bytes(whole))
    for kind, signature in ((SERVER_SIGNATURE, server), (KDC_SIGNATURE, _checksum(os.urandom(32), server))):
        whole[places[kind] + 4:places[kind] + 16] = signature
    return bytes(whole)


# ---- tickets ----

def make_cache(path, key, account=None, client="exch01@CORP.TEST", begins=-10, ends=3600, pac_key=None, change=None, flags=INITIAL, **buffers):
    """A credential cache with one ticket for the service of that key (support/keytab.py). begins, ends: seconds from now, of the ticket; its owner is told
    that it is good. account: whom the PAC names; None: no PAC. pac_key: instead of the service's; change(pac): what is done to it behind its signature.
    buffers: upn=bytes, requestor="S-1-..."."""
    now, session = int(time.time()), os.urandom(32)
    (name, realm), (service, service_realm) = client.rsplit("@", 1), key.principal.rsplit("@", 1)
    authorization = b""
    if account:
        named = name.encode("utf-16-le")
        rows = {LOGON: account.logon(), CLIENT: struct.pack("<QH", (now + begins + 11644473600) * 10_000_000, len(named)) + named}
        if "upn" in buffers:
            rows[UPN] = buffers["upn"]
        if "requestor" in buffers:
            rows[REQUESTOR] = sid_bytes(buffers["requestor"])
        whole = pac(rows, pac_key or key.key)
        inner = _sequence(_sequence(_field(0, _number(128)), _field(1, _der(4, change(whole) if change else whole))))
        authorization = _field(10, _sequence(_sequence(_field(0, _number(1)), _field(1, _der(4, inner)))))
    part = _der(0x63, _sequence(
        _field(0, _der(3, b"\0" + struct.pack(">I", flags))), _field(1, _sequence(_field(0, _number(AES256)), _field(1, _der(4, session)))),
        _field(2, _der(0x1B, realm.encode())), _field(3, _name(1, name)),
        _field(4, _sequence(_field(0, _number(0)), _field(1, _der(4)))), _field(5, _when(now + begins)), _field(6, _when(now + begins)),
        _field(7, _when(now + ends)), authorization))
    ticket = _der(0x61, _sequence(
        _field(0, _number(5)), _field(1, _der(0x1B, service_realm.encode())), _field(2, _name(2, service)),
        _field(3, _sequence(_field(0, _number(AES256)), _field(1, _number(key.kvno)), _field(2, _der(4, _encrypt(key.key, KDC_TICKET, part)))))))

    def counted(data):
        return struct.pack(">I", len(data)) + data

    def principal(kind, whole_name, of):
        parts = whole_name.split("/")
        return struct.pack(">II", kind, len(parts)) + counted(of.encode()) + b"".join(counted(p.encode()) for p in parts)
    path.write_bytes(b"\x05\x04\0\0" + principal(1, name, realm) + principal(1, name, realm) + principal(2, service, service_realm) +
                     struct.pack(">H", AES256) + counted(session) + struct.pack(">4IBI", now - 60, now - 60, now + 86400, 0, 0, flags) +
                     bytes(8) + counted(ticket) + counted(b""))
    return path
