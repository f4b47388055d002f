"""Includes point down only, and every third-party header has one home. ARCHITECTURE.md shows the floors."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# room: rooms it may include from. A file is in the room with the longest matching prefix.
ROOMS = {
    "core/base/": [],
    "core/crypto/": ["core/base/"],
    "core/net/": ["core/base/", "core/crypto/"],
    "proto/": ["core/base/", "core/crypto/"],
    "store/": ["core/base/", "core/crypto/"],
    "core/cloud/": ["core/base/", "core/crypto/", "core/net/", "proto/"],
    "core/relay/": ["core/base/", "core/crypto/", "core/net/", "core/cloud/", "proto/", "store/"],
    "core/": ["core/base/", "core/crypto/", "core/net/", "core/cloud/", "proto/", "store/", "core/relay/"],
    "core/ops/": ["core/base/", "core/crypto/", "core/net/", "core/cloud/", "proto/", "store/", "core/relay/", "core/", "core/ops/config_"],
    "core/ops/config_": ["core/base/", "proto/"],  # a library without TLS, for authd
    "core/ctl/": ["core/base/", "core/net/", "core/cloud/", "proto/", "core/ops/", "core/ops/config_"],
    "core/authd/": ["core/base/", "proto/", "core/ops/config_"],
    "core/main.c": ["core/base/", "core/crypto/", "core/net/", "core/cloud/", "proto/", "store/", "core/relay/", "core/", "core/ops/",
                    "core/ops/config_"],
    "bench/": ["core/base/", "core/crypto/", "core/net/", "proto/", "store/"],
    "tests/": ["core/base/", "core/crypto/", "core/net/", "core/cloud/", "proto/", "store/", "core/relay/", "core/", "core/ops/",
               "core/ops/config_", "core/ctl/", "core/authd/", "bench/"],
}

# header (a pattern): files that may include it, and why there is a list at all
TESTED = "tests/"
HOMES = {
    r"llhttp\.h": ["proto/http_parse.c", "proto/http_chunks.c"],
    r"expat.*\.h": ["proto/xml_scan.c", "bench/"],
    r"openssl/.*": ["core/crypto/", "core/net/tls.c", "core/net/tls_issuer.c", "bench/floor_"],
    r"ares.*\.h": ["core/net/resolver.c"],
    r"yaml\.h": ["core/ops/config_load"],
    r"lmdb\.h": ["store/db.c", "store/db_walk.c"],
    r"jansson\.h": ["core/ops/", "core/ctl/", "core/authd/", "bench/", "proto/authlist_doc", "core/relay/authd_ask", "core/relay/directory_",
                     "core/relay/standing_book", "core/cloud/token"],
    r"uv\.h": ["core/net/", "core/cloud/", "core/relay/", "core/server.", "core/worker.", "core/main.c", "core/ops/", "bench/"],
    r"gssapi/.*": ["core/authd/gss.c", "core/authd/refusal.c", "core/authd/directory_login.c", "bench/load_gss.c", "bench/accept_bare.c"],
    r"profile\.h": ["core/authd/gss.c"],
    r"krb5\.h": ["core/authd/keytab", "core/authd/binding.c", "core/authd/refusal.c", "core/authd/directory_login.c", "core/authd/own_login",
                 "core/authd/kdc", "core/authd/rotation_keys.c"],
    r"(ldap|sasl/.*)\.h": ["core/authd/directory_conn.c"],
    r"cmocka\.h": [TESTED],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def room_of(path):
    return max((room for room in ROOMS if path.startswith(room)), key=len, default=None)


def problems_of(path, text):
    room = room_of(path)
    if room is None:
        yield f"{path}: in no room of tests/lint/layers.py; which floor is it on?"
        return
    for match in INCLUDE.finditer(text):
        header = match.group(2)
        line = text.count("\n", 0, match.start(2)) + 1
        if match.group(1) == '"':
            if not (ROOT / header).exists():
                yield f"{path}:{line}: \"{header}\" is not a path from the top of the tree"
                continue
            target = room_of(header)
            if target != room and target not in ROOMS[room]:
                yield f"{path}:{line}: {room} may not look at {header}; it may look at {', '.join(ROOMS[room]) or 'nothing'}"
        for pattern, homes in HOMES.items():
            if re.fullmatch(pattern, header) and not path.startswith(tuple(homes)) and not path.startswith(TESTED):
                yield f"{path}:{line}: {header} lives in {', '.join(homes)} only"


def main():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h", "*.def"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split()
    found = [problem for path in listed if (ROOT / path).exists()
             for problem in problems_of(path, (ROOT / path).read_text(encoding="utf-8"))]
    if found:
        print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
