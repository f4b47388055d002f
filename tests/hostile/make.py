#!/usr/bin/env python3
"""Writes requests.json and answers.json: messages made to be understood in two ways, and near ones that must pass, each with its verdict.

A row: name, ids (of docs/requirements.md), bytes and what must come of them. Bytes are a list of parts, a part being text (a character is a byte)
or [text, count]. The rows are data so that any reader can be tried on them: test_hostile.c takes them through guard, parser and body reader.

    requests: expect "refuse" with reason, or "accept" with the body's content and the number of bytes that belong to the next message
    answers:  expect "bad" with reason, "cut" (the connection ended too early), or "ok" with status, body and rest; method is what was asked
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
TOKEN = set(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
POST = "POST /_wmcs/licensing/license.asmx HTTP/1.1\r\n"
HOST = "Host: connector\r\n"
LENGTH = "Content-Length: 5\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
END = "\r\n"
SECOND = "GET /second HTTP/1.1\r\nHost: b\r\n\r\n"

requests, answers = [], []


def parts(data):
    return [data] if isinstance(data, str) else data


def refuse(reason, name, data, ids=("F16",)):
    requests.append({"name": name, "ids": list(ids), "expect": "refuse", "reason": reason, "bytes": parts(data)})


def accept(name, data, body="", rest=0, ids=("F16",)):
    requests.append({"name": name, "ids": list(ids), "expect": "accept", "bytes": parts(data), "body": parts(body), "rest": rest})


def bad(reason, name, data, method="POST"):
    answers.append({"name": name, "ids": ["F16"], "expect": "bad", "reason": reason, "method": method, "bytes": parts(data)})


def cut(name, data, body, method="POST"):
    answers.append({"name": name, "ids": ["F16"], "expect": "cut", "method": method, "bytes": parts(data), "body": parts(body)})


def ok(name, data, body="", rest=0, status=200, method="POST"):
    answers.append({"name": name, "ids": ["F16"], "expect": "ok", "status": status, "method": method, "bytes": parts(data),
                    "body": parts(body), "rest": rest})


def shown(byte):
    return f"0x{byte:02x}"


# ---- lines: how they end, begin and are divided ----

def line_ends():
    lines = [POST, HOST, LENGTH, END]
    places = ["the request line", "the first header", "the last header", "the empty line"]
    for end, reason, what in (("\n", "bare_lf", "a bare LF"), ("\r", "bare_cr", "a bare CR"), ("\r\r\n", "bare_cr", "CR CR LF"),
                              ("\n\r", "bare_lf", "LF CR"), ("\x0b\r\n", "control_byte", "a vertical tab"),
                              ("\x0c\r\n", "control_byte", "a form feed"), ("\x00\r\n", "nul_byte", "a NUL before CR LF"),
                              ("\x1c\r\n", "control_byte", "a file separator"), ("\x7f\r\n", "control_byte", "DEL")):
        for i, place in enumerate(places):
            changed = lines.copy()
            changed[i] = changed[i][:-2] + end
            refuse(reason, f"{what} ends {place}", "".join(changed) + "hello" + SECOND)
    # 8-bit bytes that some readers take for line ends: NEL, and LF with its top bit set
    for byte in ("\x85", "\x8a", "\x8d\x8a"):
        accept(f"{byte!r} in a value ends no line", POST + HOST + f"X: a{byte}Content-Length: 9\r\n" + LENGTH + END + "hello", "hello")
    refuse("folded_line", "a space in place of the empty line", POST + HOST + LENGTH + " \r\n\r\nhello")
    refuse("folded_line", "a tab in place of the empty line", POST + HOST + LENGTH + "\t\r\n\r\nhello")
    accept("one empty line first", END + POST + HOST + LENGTH + END + "hello", "hello")
    refuse("empty_line", "two empty lines first", END + END + POST + HOST + END)
    refuse("bare_lf", "a bare LF first", "\n" + POST + HOST + END)
    refuse("bare_cr", "a bare CR first", "\r" + POST + HOST + END)
    refuse("folded_line", "a line of spaces between headers", POST + HOST + "   \r\n" + LENGTH + END)


def folded_lines():
    for what, header in (("Host", HOST), ("Content-Length", LENGTH), ("Transfer-Encoding", CHUNKED), ("an unknown header", "X: y\r\n")):
        name, value = header[:-2].split(": ")
        refuse("folded_line", f"{what} folded before its value", POST + f"{name}:\r\n {value}\r\n" + END)
        refuse("folded_line", f"{what} folded with a tab behind its value", POST + f"{name}: {value}\r\n\tmore\r\n" + END)
        refuse("folded_line", f"{what} folded to nothing", POST + header + " \r\n" + END)
    refuse("folded_line", "the first header folded onto the request line", POST + " " + HOST + END)
    refuse("folded_line", "a second Content-Length hidden by a space", POST + HOST + LENGTH + " Content-Length: 9\r\n" + END)
    refuse("folded_line", "chunked hidden on a folded line", POST + HOST + "Transfer-Encoding: identity,\r\n chunked\r\n" + END)


def names():
    for byte in sorted(set(range(256)) - TOKEN - set(b"\r\n:")):
        control = byte < 0x20 and byte != 9 or byte == 0x7f
        where = f"X{chr(byte)}Content-Length: 9\r\n"
        reason = "nul_byte" if byte == 0 else "control_byte" if control else "name_odd"
        if byte < 0x80 or byte in (0x80, 0x8a, 0xa0, 0xad, 0xc2, 0xff):
            refuse(reason, f"{shown(byte)} inside a name", POST + HOST + where + LENGTH + END + "hello")
    for header, name in (("Host", "connector"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked"), ("Connection", "close")):
        refuse("space_before_colon", f"a space behind the name {header}", POST + HOST + f"{header} : {name}\r\n" + END)
        refuse("space_before_colon", f"a tab behind the name {header}", POST + HOST + f"{header}\t: {name}\r\n" + END)
        refuse("no_colon", f"{header} without a colon", POST + HOST + f"{header} {name}\r\n" + END)
        refuse("no_colon", f"{header} with an equals sign", POST + HOST + f"{header}={name}\r\n" + END)
    refuse("no_colon", "a line of one word", POST + HOST + "Content-Length\r\n" + END)
    refuse("name_empty", "a colon first", POST + HOST + ": 5\r\n" + END)
    refuse("name_empty", "only a colon", POST + HOST + ":\r\n" + END)
    refuse("name_empty", "a colon before the name", POST + HOST + ":Content-Length: 5\r\n" + END)
    refuse("name_odd", "a name in quotes", POST + HOST + '"Content-Length": 5\r\n' + END)
    refuse("name_odd", "a name in brackets", POST + HOST + "[Content-Length]: 5\r\n" + END)
    refuse("name_odd", "a name with a no-break space", POST + HOST + "Content-Length\u00a0: 5\r\n" + END)
    refuse("no_colon", "the body right behind the headers", POST + HOST + LENGTH + "hello" + END + END)
    accept("a name that only looks like Content-Length", POST + HOST + "Content_Length: 9\r\n" + LENGTH + END + "hello", "hello")
    accept("a name that only looks like Transfer-Encoding", POST + HOST + "Transfer_Encoding: chunked\r\n" + LENGTH + END + "hello", "hello")
    accept("a name with a prefix", POST + HOST + "X-Content-Length: 9\r\n" + LENGTH + END + "hello", "hello")
    accept("a name with every token byte", POST + HOST + "!#$%&'*+-.^_`|~09azAZ: x\r\n" + END)
    accept("an empty value", POST + HOST + "X:\r\n" + END)
    accept("a colon in a value", POST + HOST + "X: :a:b\r\n" + END)
    accept("a header inside a value", POST + HOST + "X: Content-Length: 9\r\n" + LENGTH + END + "hello", "hello")


def values():
    for byte in list(range(0x01, 0x09)) + [0x0b, 0x0c] + list(range(0x0e, 0x20)) + [0x7f]:
        refuse("control_byte", f"{shown(byte)} in a value", POST + HOST + f"X: a{chr(byte)}b\r\n" + END)
    refuse("nul_byte", "a NUL in a value", POST + HOST + "X: a\x00b\r\n" + END)
    refuse("bare_cr", "a CR and a header in a value", POST + HOST + "X: a\rContent-Length: 9\r\n" + END)
    refuse("bare_lf", "a LF and a header in a value", POST + HOST + "X: a\nContent-Length: 9\r\n" + END)
    refuse("bare_lf", "a LF and an empty line in a value", POST + HOST + "X: a\n\nGET / HTTP/1.1\r\n" + END)


# ---- the request line ----

def request_lines():
    rest = HOST + END
    for name, line, reason in (
            ("no target and no version", "GET", "request_line_odd"),
            ("no version: HTTP/0.9", "GET /", "request_line_odd"),
            ("no version behind a space", "GET / ", "version_odd"),
            ("two spaces before the target", "GET  / HTTP/1.1", "request_line_odd"),
            ("two spaces before the version", "GET /  HTTP/1.1", "request_line_odd"),
            ("a tab before the target", "GET\t/ HTTP/1.1", "request_line_odd"),
            ("a tab before the version", "GET /\tHTTP/1.1", "request_line_odd"),
            ("a space at the end", "GET / HTTP/1.1 ", "request_line_odd"),
            ("a tab at the end", "GET / HTTP/1.1\t", "request_line_odd"),
            ("a word behind the version", "GET / HTTP/1.1 x", "request_line_odd"),
            ("a second version", "GET / HTTP/1.1 HTTP/1.0", "request_line_odd"),
            ("a space in the target", "GET /a b HTTP/1.1", "request_line_odd"),
            ("a space first", " GET / HTTP/1.1", "request_line_odd"),
            ("a tab first", "\tGET / HTTP/1.1", "request_line_odd"),
            ("no method", "/ HTTP/1.1", "method_odd"),
            ("a method in brackets", "(GET) / HTTP/1.1", "method_odd"),
            ("a method with a colon", "GET: / HTTP/1.1", "method_odd"),
            ("a method with a slash", "GET/ / HTTP/1.1", "method_odd"),
            ("a method with an 8-bit byte", "G\u00cbT / HTTP/1.1", "method_odd"),
            ("a method in quotes", '"GET" / HTTP/1.1', "method_odd"),
            ("a byte order mark first", "\u00ef\u00bb\u00bfGET / HTTP/1.1", "method_odd"),
            ("a header first", "Host: x", "method_odd"),
            ("a status line", "HTTP/1.1 200 OK", "method_odd"),
            ("a fragment", "GET /a#b HTTP/1.1", "target_odd"),
            ("only a fragment", "GET # HTTP/1.1", "target_odd"),
            ("an 8-bit target", "GET /\u00e4 HTTP/1.1", "target_odd"),
            ("a target with a no-break space", "GET /\u00a0/a HTTP/1.1", "target_odd"),
            ("a control byte in the target", "GET /\u0001 HTTP/1.1", "control_byte"),
            ("a NUL in the target", "GET /a\u0000b HTTP/1.1", "nul_byte"),
            ("a NUL in the method", "GE\u0000T / HTTP/1.1", "nul_byte")):
        refuse(reason, f"request line: {name}", line + END + rest)
    for version in ("HTTP/1.2", "HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9", "HTTP/1", "HTTP/1.", "HTTP/.1", "HTTP/11", "HTTP/1.1.1", "HTTP/1.10",
                    "HTTP/01.1", "HTTP/1.01", "HTTP/1,1", "HTTP/-1.1", "HTTP/+1.1", "HTTP1.1", "HTTP//1.1", "HTTP/1.1\u00a0", "http/1.1", "Http/1.1",
                    "HTTPS/1.1", "HTTP/1.x", "HTTP/x.1", "HTP/1.1", "RTSP/1.0", "ICE/1.0", "HTTP/\u00b9.1", "HTTP/1.1x", "xHTTP/1.1", "HTTP"):
        refuse("version_odd", f"version {version!r}", f"POST / {version}\r\n" + rest)
    refuse("version_odd", "the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    refuse("control_byte", "a TLS client hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    refuse("target_too_long", "a target of 8193 bytes", ["POST ", ["/", 8193], " HTTP/1.1\r\n", HOST, END])
    accept("a target of 8192 bytes", ["POST ", ["/", 8192], " HTTP/1.1\r\n", HOST, END])
    accept("a method nobody knows", "BREW / HTTP/1.1\r\n" + rest)
    accept("a method with every token byte", "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" + rest)
    accept("a method in lower case", "post / HTTP/1.1\r\n" + rest)
    accept("a method that begins like one", "POSTS / HTTP/1.1\r\n" + HOST + LENGTH + END + "hello", "hello")
    accept("CONNECT with a path is a method like others", "CONNECT / HTTP/1.1\r\n" + HOST + LENGTH + END + "hello", "hello")
    accept("backslashes and dots in a path are only bytes", "POST /..\\..//%2e%2e/%00 HTTP/1.1\r\n" + rest)


def target_forms():
    def to(target, host, method="POST"):
        return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    for target, host in (("http://a/x", "a"), ("http://A/x", "a"), ("HTTP://a/x", "A"), ("http://a:80/x", "a"), ("http://a/x", "a:80"),
                         ("https://a/x", "a:443"), ("http://a", "a"), ("http://a?x", "a"), ("http://[::1]:81/", "[::1]:81"), ("http://a/http://b/", "a")):
        accept(f"{target} to {host}", to(target, host))
    for target, host in (("http://a/x", "b"), ("http://a:81/x", "a"), ("http://a/x", "a:81"), ("https://a/x", "a:80"), ("http://a/x", "a:443"),
                         ("http://a.b/x", "a"), ("http://a./x", "a"), ("http://[::1]/", "[::2]"), ("http://127.0.0.1/", "localhost")):
        refuse("host_disagrees", f"{target} to {host}", to(target, host))
    for target in ("http://u@a/x", "http://u:p@a/x", "http://a@/x", "http://", "http:///x", "http:/a/x", "http:a", "http://a:/x", "http://a:0/x",
                   "http://a:65536/x", "http://a:8o/x", "http://a,b/x", "http://a\\b/x", "http://[::1/x", "http://::1/x", "ftp://a/x", "ws://a/x",
                   "file:///x", "javascript:x", "a", "a/b", "a:80", "*", "**", "?x", "\\x", ";x", "%2fx", "./x", "../x", "~/x"):
        refuse("target_form", f"target {target}", to(target, "a"))
    refuse("target_form", "CONNECT", to("a:443", "a:443", "CONNECT"))
    refuse("target_form", "GET *", to("*", "a", "GET"))
    refuse("target_form", "OPTIONS *x", to("*x", "a", "OPTIONS"))
    accept("OPTIONS *", to("*", "a", "OPTIONS"))
    accept("a path that begins with two slashes", to("//b/x", "a"))


# ---- Host, lengths, codings ----

def hosts():
    refuse("host_missing", "no Host", POST + LENGTH + END + "hello")
    refuse("host_several", "Host twice, equal", POST + HOST + HOST + END)
    refuse("host_several", "Host twice, different", POST + HOST + "Host: other\r\n" + END)
    refuse("host_several", "Host twice, cases differ", POST + HOST + "HOST: connector\r\n" + END)
    refuse("host_several", "Host twice, far apart", POST + HOST + "A: b\r\n" * 20 + HOST + END)
    refuse("host_several", "Host twice, the first empty", POST + "Host:\r\n" + HOST + END)
    refuse("host_several", "Host twice in HTTP/1.0", "POST / HTTP/1.0\r\n" + HOST + HOST + END)
    accept("no Host in HTTP/1.0", "POST / HTTP/1.0\r\n" + LENGTH + END + "hello", "hello")
    for value in ("", " ", "a b", "a,b", "a, a", "u@a", "u:p@a", "a@b", "/a", "a/", "a/b", "http://a", "a?b", "a#b", "a:", "a:b", "a:0", "a:65536", "a:99999",
                  "a:-1", "a:+80", "a: 80", "a :80", "a:80:80", ":80", ":", "[::1", "::1", "[]", "[::1]a", "[::1]:", "[v1.x]", "[a b]", "a\\b", "a;b",
                  "<a>", "{a}", "a|b", "a%00b", "a%2eb", "\"a\"", "'a'", "a=b", "a&b", "a*", "(a)"):
        refuse("host_odd", f"Host {value!r}", POST + f"Host: {value}\r\n" + END)
    refuse("value_8bit", "Host in UTF-8", POST + "Host: \u00c3\u00a4.example\r\n" + END)
    refuse("value_8bit", "Host with a no-break space", POST + "Host: \u00a0connector\r\n" + END)
    for value in ("a", "A.B.C", "a:1", "a:65535", "10.0.0.1", "10.0.0.1:8080", "[::1]", "[fe80::1]:443", "my_node-1", "a."):
        accept(f"Host {value}", POST + f"Host: {value}\r\n" + END)
    accept("Host with tabs around it", POST + "Host:\t connector \t\r\n" + END)


def lengths():
    for value in ("", "+5", "-5", "-0", "0x5", "05", "00", "5 5", "5,5", "5, 5", "5,", ",5", "5;5", "5.0", "5e0", "5h", "five", "\"5\"", "'5'", "5_0", "5'0", "(5)", "5%", "NaN",
                  "10000000000000000000", "18446744073709551615", "18446744073709551616", "18446744073709551621", "99999999999999999999999999", "5\t", "5 \t",
                  "0 5", "#5", "*"):
        refuse("length_odd", f"Content-Length {value!r}", POST + HOST + f"Content-Length: {value}\r\n" + END + "hello" + SECOND)
    refuse("value_8bit", "Content-Length in Arabic digits", POST + HOST + "Content-Length: \u00d9\u00a5\r\n" + END + "hello")
    refuse("value_8bit", "Content-Length behind a no-break space", POST + HOST + "Content-Length:\u00a05\r\n" + END + "hello")
    refuse("length_odd", "Content-Length of 400 digits", [POST, HOST, "Content-Length: ", ["1", 400], "\r\n", END])
    for first, second in (("5", "5"), ("5", "6"), ("6", "5"), ("0", "5"), ("5", ""), ("", "5"), ("5", "x")):
        refuse("length_several", f"Content-Length {first!r} and {second!r}",
               POST + HOST + f"Content-Length: {first}\r\nX: y\r\nContent-Length: {second}\r\n" + END + "hello")
    refuse("length_several", "Content-Length three times", POST + HOST + LENGTH * 3 + END + "hello")
    refuse("length_several", "Content-Length in two cases", POST + HOST + LENGTH + "cOnTeNt-LeNgTh: 5\r\n" + END + "hello")
    accept("Content-Length 0, next message behind", POST + HOST + "Content-Length: 0\r\n" + END + SECOND, "", len(SECOND))
    accept("Content-Length 5, next message behind", POST + HOST + LENGTH + END + "hello" + SECOND, "hello", len(SECOND))
    accept("Content-Length with spaces around", POST + HOST + "Content-Length:   5   \r\n" + END + "hello", "hello")
    accept("Content-Length without a space", POST + HOST + "Content-Length:5\r\n" + END + "hello", "hello")
    accept("a body that looks like a request", POST + HOST + f"Content-Length: {len(SECOND)}\r\n" + END + SECOND, SECOND)
    accept("no length and no coding: no body", POST + HOST + END + SECOND, "", len(SECOND))
    accept("GET with a body", "GET / HTTP/1.1\r\n" + HOST + LENGTH + END + "hello" + SECOND, "hello", len(SECOND))


def codings():
    body = "5\r\nhello\r\n0\r\n\r\n"
    for value in ("", "identity", "gzip", "deflate", "compress", "gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked, identity", "identity, chunked",
                  "chunked,", ",chunked", "chunked;", "chunked;q=1", "chunked; foo", "xchunked", "chunkedx", "chunk", "chunked chunked", "\"chunked\"", "'chunked'",
                  "chunked\t", "(chunked)", "chunked=1", "chun ked", "chunked-", "-chunked", "x-chunked", "trailers", "cow", "chunked/1", "chunked\\"):
        refuse("coding_odd", f"Transfer-Encoding {value!r}", POST + HOST + f"Transfer-Encoding: {value}\r\n" + END + body)
    refuse("control_byte", "Transfer-Encoding behind a vertical tab", POST + HOST + "Transfer-Encoding: \x0bchunked\r\n" + END + body)
    refuse("control_byte", "Transfer-Encoding before a form feed", POST + HOST + "Transfer-Encoding: chunked\x0c\r\n" + END + body)
    refuse("value_8bit", "Transfer-Encoding with an 8-bit byte", POST + HOST + "Transfer-Encoding: chunk\u00e9d\r\n" + END + body)
    refuse("value_8bit", "Transfer-Encoding behind a no-break space", POST + HOST + "Transfer-Encoding:\u00a0chunked\r\n" + END + body)
    for first, second in (("chunked", "chunked"), ("chunked", "identity"), ("identity", "chunked"), ("gzip", "chunked"), ("chunked", ""), ("", "chunked"), ("x", "chunked")):
        refuse("coding_several", f"Transfer-Encoding {first!r} and {second!r}",
               POST + HOST + f"Transfer-Encoding: {first}\r\nTransfer-Encoding: {second}\r\n" + END + body)
    for what, head in (("the length first", LENGTH + CHUNKED), ("the coding first", CHUNKED + LENGTH), ("a length of 0", "Content-Length: 0\r\n" + CHUNKED),
                       ("an odd length", "Content-Length: x\r\n" + CHUNKED), ("an odd coding", LENGTH + "Transfer-Encoding: x\r\n"),
                       ("an empty coding", LENGTH + "Transfer-Encoding:\r\n"), ("a right length", f"Content-Length: {len(body)}\r\n" + CHUNKED)):
        refuse("length_and_coding", f"both lengths: {what}", POST + HOST + head + END + body)
    refuse("coding_out_of_place", "chunked in HTTP/1.0", "POST / HTTP/1.0\r\n" + HOST + CHUNKED + END + body)
    refuse("coding_odd", "an odd coding in HTTP/1.0", "POST / HTTP/1.0\r\n" + HOST + "Transfer-Encoding: gzip\r\n" + END + body)
    for value in ("chunked", "CHUNKED", "ChUnKeD", "  chunked  "):
        accept(f"Transfer-Encoding {value!r}", POST + HOST + f"Transfer-Encoding:{value}\r\n" + END + body + SECOND, "hello", len(SECOND), ids=("F15", "F16"))
    accept("a tab before chunked", POST + HOST + "Transfer-Encoding:\tchunked\r\n" + END + body, "hello", ids=("F15", "F16"))
    accept("TE is not Transfer-Encoding", POST + HOST + "TE: chunked\r\n" + LENGTH + END + "hello", "hello")


def single_headers():
    for name, value in (("Content-Type", "text/xml"), ("SOAPAction", '"x"'), ("Authorization", "Negotiate x"), ("Expect", "100-continue"), ("Content-Encoding", "gzip")):
        refuse("header_repeated", f"{name} twice, equal", POST + HOST + f"{name}: {value}\r\n" * 2 + END)
        refuse("header_repeated", f"{name} twice, different", POST + HOST + f"{name}: {value}\r\n{name.upper()}: z\r\n" + END)
        refuse("value_8bit", f"{name} with an 8-bit byte", POST + HOST + f"{name}: {value}\u00e4\r\n" + END)
        refuse("connection_odd", f"Connection takes {name} away", POST + HOST + f"Connection: close, {name}\r\n" + END)
    for name in ("Host", "Content-Length", "Transfer-Encoding", "TRANSFER-ENCODING"):
        refuse("connection_odd", f"Connection takes {name} away", POST + HOST + f"Connection: {name}\r\n" + LENGTH + END + "hello")
    for value in ("a b", "close keep-alive", '"close"', "close;x", "a=b", "a/b", "close\tx", "clos\u00e9", "(close)", "a:b"):
        refuse("connection_odd", f"Connection {value!r}", POST + HOST + f"Connection: {value}\r\n" + END)
    for value in ("", ",", ",,close,,", " close , x ", "keep-alive, Upgrade, HTTP2-Settings", "x-a,x-b"):
        accept(f"Connection {value!r}", POST + HOST + f"Connection: {value}\r\n" + END)
    accept("an upgrade offer is passed over", POST + HOST + "Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH + END + "hello", "hello")
    accept("an upgrade offer without a body is passed over", POST + HOST + "Connection: upgrade\r\nUpgrade: websocket\r\n" + END + SECOND, "", len(SECOND))


def sizes():
    ids = ("F16",)
    accept("100 headers", [POST, HOST, ["A: b\r\n", 99], END], ids=ids)
    refuse("too_many_headers", "101 headers", [POST, HOST, ["A: b\r\n", 100], END], ids)
    refuse("too_many_headers", "headers without end", [POST, HOST, ["A:\r\n", 5000]], ids)
    plain = 16384 - len(POST) - len(HOST) - len(END) - len("X: \r\n")
    accept("a plain head of 16 KiB", [POST, HOST, "X: ", ["y", plain], "\r\n", END], ids=ids)
    refuse("plain_too_large", "a plain head of one byte more", [POST, HOST, "X: ", ["y", plain + 1], "\r\n", END], ids)
    accept("an Authorization of 60 KiB", [POST, HOST, "Authorization: Negotiate ", ["Y", 60000], "\r\n", END], ids=ids)
    refuse("plain_too_large", "a Proxy-Authorization of 60 KiB", [POST, HOST, "Proxy-Authorization: Negotiate ", ["Y", 60000], "\r\n", END], ids)
    refuse("head_too_large", "an Authorization of 100 KiB", [POST, HOST, "Authorization: Negotiate ", ["Y", 100000], "\r\n", END], ids)
    refuse("head_too_large", "a header that does not end", [POST, HOST, "X: ", ["y", 100000]], ids)
    refuse("head_too_large", "a request line that does not end", ["POST /", ["y", 100000]], ids)


# ---- chunked bodies ----

CHUNK_FAULTS = [
    ("an empty size", "\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a space before the size", " 5\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a space behind the size", "5 \r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a tab behind the size", "5\t\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a plus sign", "+5\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a minus sign", "-5\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("0x", "0x5\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a letter behind f", "g\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("an h behind the size", "5h\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("an underscore", "0_5\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a dot", "5.\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a comma", "5,5\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a size in quotes", "\"5\"\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a NUL behind the size", "5\x00\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("an 8-bit byte behind the size", "5\u00a0\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a vertical tab behind the size", "5\x0b\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("seventeen digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("2^64", "10000000000000000\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("2^64 and five", "10000000000000005\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("2^32 in one digit too many", "00000000100000005\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("only an extension", ";a\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("LF behind the size", "5\nhello\r\n0\r\n\r\n", "chunk_line_end_odd"),
    ("CR behind the size", "5\rhello\r\n0\r\n\r\n", "chunk_line_end_odd"),
    ("CR CR LF behind the size", "5\r\r\nhello\r\n0\r\n\r\n", "chunk_line_end_odd"),
    ("LF behind an extension", "5;a\nhello\r\n0\r\n\r\n", "chunk_line_end_odd"),
    ("LF in an extension, to hide a size", "5;\nhello\r\n0\r\n\r\n", "chunk_line_end_odd"),
    ("LF in a quoted extension", "5;a=\"\nhello\r\n0\r\n\r\n", "chunk_line_end_odd"),
    ("a chunk one byte longer than its size", "5\r\nhello!\r\n0\r\n\r\n", "chunk_line_end_odd"),
    ("a chunk one byte shorter than its size", "6\r\nhello\r\n0\r\n\r\n", "chunk_line_end_odd"),
    ("LF behind a chunk", "5\r\nhello\n0\r\n\r\n", "chunk_line_end_odd"),
    ("CR behind a chunk", "5\r\nhello\r0\r\n\r\n", "chunk_line_end_odd"),
    ("nothing behind a chunk", "5\r\nhello0\r\n\r\n", "chunk_line_end_odd"),
    ("LF CR behind a chunk", "5\r\nhello\n\r0\r\n\r\n", "chunk_line_end_odd"),
    ("LF behind the last chunk", "5\r\nhello\r\n0\n\r\n", "chunk_line_end_odd"),
    ("LF as the last line", "5\r\nhello\r\n0\r\n\n", "chunk_line_end_odd"),
    ("CR and a request as the last line", "5\r\nhello\r\n0\r\n\r" + SECOND, "chunk_line_end_odd"),
    ("an empty extension", "5;\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("two semicolons", "5;;a\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("a space in an extension", "5;a b\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("a space before an extension", "5; a\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("an extension without a name", "5;=a\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("an extension without its value", "5;a=\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("an open quote", "5;a=\"b\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("text behind a quote", "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("a quote escaped in quotes", "5;a=\"\\\"\"\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("a NUL in an extension", "5;a\x00\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("an 8-bit extension", "5;\u00e4\r\nhello\r\n0\r\n\r\n", "chunk_extension_odd"),
    ("CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", "chunk_line_end_odd"),
    ("a colon behind the size", "5:a\r\nhello\r\n0\r\n\r\n", "chunk_size_odd"),
    ("a trailing Content-Length", "5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n", "trailer_forbidden"),
    ("a trailing Transfer-Encoding", "5\r\nhello\r\n0\r\nTransfer-Encoding: identity\r\n\r\n", "trailer_forbidden"),
    ("a trailing Host", "5\r\nhello\r\n0\r\nA: b\r\nHOST: other\r\n\r\n", "trailer_forbidden"),
    ("a trailing Authorization", "5\r\nhello\r\n0\r\nauthorization: x\r\n\r\n", "trailer_forbidden"),
    ("a trailing SOAPAction", "5\r\nhello\r\n0\r\nSOAPAction: x\r\n\r\n", "trailer_forbidden"),
    ("a trailing Connection", "5\r\nhello\r\n0\r\nConnection: keep-alive\r\n\r\n", "trailer_forbidden"),
    ("a trailing Set-Cookie", "5\r\nhello\r\n0\r\nSet-Cookie: a\r\n\r\n", "trailer_forbidden"),
    ("a trailer without a colon", "5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n", "trailer_odd"),
    ("a trailer without a name", "5\r\nhello\r\n0\r\n: x\r\n\r\n", "trailer_odd"),
    ("a space before a trailer's colon", "5\r\nhello\r\n0\r\nA : x\r\n\r\n", "trailer_odd"),
    ("a folded trailer", "5\r\nhello\r\n0\r\nA: x\r\n y\r\n\r\n", "trailer_odd"),
    ("a trailer that begins with a space", "5\r\nhello\r\n0\r\n A: x\r\n\r\n", "trailer_odd"),
    ("a NUL in a trailer", "5\r\nhello\r\n0\r\nA: \x00\r\n\r\n", "trailer_odd"),
    ("DEL in a trailer", "5\r\nhello\r\n0\r\nA: \x7f\r\n\r\n", "trailer_odd"),
    ("a trailer that ends in LF", "5\r\nhello\r\n0\r\nA: x\n\r\n", "chunk_line_end_odd"),
    ("a CR in a trailer", "5\r\nhello\r\n0\r\nA: x\ry\r\n\r\n", "chunk_line_end_odd"),
    ("33 trailers", ["5\r\nhello\r\n0\r\n", ["A: b\r\n", 33], "\r\n"], "trailers_too_large"),
    ("a trailer of 5000 bytes", ["5\r\nhello\r\n0\r\nA: ", ["b", 5000], "\r\n\r\n"], "trailers_too_large"),
    ("an extension of 300 bytes", ["5;", ["a", 300], "\r\nhello\r\n0\r\n\r\n"], "chunk_line_too_long"),
    ("18 KiB of extensions", [["1;" + "a" * 180 + "\r\nh\r\n", 100], "0\r\n\r\n"], "chunk_extensions_too_long"),
    ("an extension without end", ["5;", ["a;", 5000]], "chunk_line_too_long"),
    ("a size without end", [["0", 5000]], "chunk_size_odd"),
]

CHUNK_FINE = [
    ("one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"),
    ("many chunks", "1\r\nh\r\n1\r\ne\r\n3\r\nllo\r\n0\r\n\r\n", "hello"),
    ("no chunk but the last", "0\r\n\r\n", ""),
    ("a last chunk of many zeroes", "0000000000000000\r\n\r\n", ""),
    ("capital digits", "A\r\nhellohello\r\n0\r\n\r\n", "hellohello"),
    ("leading zeroes", "0000000000000005\r\nhello\r\n00\r\n\r\n", "hello"),
    ("extensions", "5;a\r\nhello\r\n0;b=\"c;d\"\r\n\r\n", "hello"),
    ("content that looks like chunks", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
    ("content of CR and LF", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
    ("trailers, dropped", "5\r\nhello\r\n0\r\nDigest: x\r\nX-A:\r\n\r\n", "hello"),
]


def chunked_requests():
    for name, body, reason in CHUNK_FAULTS:
        refuse(reason, f"chunks: {name}", [POST + HOST + CHUNKED + END, *parts(body)], ids=("F15", "F16"))
    for name, body, content in CHUNK_FINE:
        accept(f"chunks: {name}", POST + HOST + CHUNKED + END + body + SECOND, content, len(SECOND), ids=("F15", "F16"))


# ---- answers ----

OK_LINE = "HTTP/1.1 200 OK\r\n"
OK = OK_LINE + LENGTH + END + "hello"


def status_lines():
    for name, line, reason in (
            ("no status", "HTTP/1.1", "status_line_odd"), ("no status behind a space", "HTTP/1.1 ", "status_line_odd"),
            ("two digits", "HTTP/1.1 20", "status_line_odd"), ("four digits", "HTTP/1.1 2000 OK", "status_line_odd"),
            ("a status below 100", "HTTP/1.1 099 OK", "status_line_odd"), ("a status of 000", "HTTP/1.1 000 OK", "status_line_odd"),
            ("a status of 600", "HTTP/1.1 600 OK", "status_line_odd"), ("a status of 999", "HTTP/1.1 999 OK", "status_line_odd"),
            ("letters", "HTTP/1.1 OK", "status_line_odd"), ("a letter in the status", "HTTP/1.1 2OO OK", "status_line_odd"),
            ("a sign", "HTTP/1.1 +200 OK", "status_line_odd"), ("a negative status", "HTTP/1.1 -20 OK", "status_line_odd"),
            ("two spaces", "HTTP/1.1  200 OK", "status_line_odd"), ("a tab behind the status", "HTTP/1.1 200\tOK", "status_line_odd"),
            ("a tab before the status", "HTTP/1.1\t200 OK", "version_odd"), ("HTTP/2.0", "HTTP/2.0 200 OK", "version_odd"),
            ("HTTP/2", "HTTP/2 200 OK", "version_odd"), ("HTTP/1.2", "HTTP/1.2 200 OK", "version_odd"), ("HTTP/0.9", "HTTP/0.9 200 OK", "version_odd"),
            ("lower case", "http/1.1 200 OK", "status_line_odd"), ("HTTP/1.10", "HTTP/1.10 200 OK", "version_odd"),
            ("a shoutcast server", "ICY 200 OK", "status_line_odd"), ("an SSH server", "SSH-2.0-OpenSSH_9.2", "status_line_odd"),
            ("a mail server", "220 mail ESMTP", "status_line_odd"), ("a page without a head", "<html><body>hello</body></html>", "status_line_odd"),
            ("a request", "GET / HTTP/1.1", "status_line_odd"), ("a space first", " HTTP/1.1 200 OK", "status_line_odd"),
            ("a NUL in the reason", "HTTP/1.1 200 O\x00K", "nul_byte"), ("a control byte in the reason", "HTTP/1.1 200 O\x08K", "control_byte"),
            ("an escape in the reason", "HTTP/1.1 200 \x1b[31m", "control_byte"), ("a CR in the reason", "HTTP/1.1 200 O\rK", "bare_cr")):
        bad(reason, f"status line: {name}", line + END + LENGTH + END + "hello")
    bad("empty_line", "an empty line first", END + OK)
    bad("bare_lf", "a LF first", "\n" + OK)
    bad("bare_lf", "a head of bare LF", OK.replace("\r\n", "\n"))
    bad("control_byte", "a TLS record in plain text", "\x15\x03\x03\x00\x02\x02\x28")
    ok("no reason and no space before it", "HTTP/1.1 200\r\n" + LENGTH + END + "hello", "hello")
    ok("no reason", "HTTP/1.1 200 \r\n" + LENGTH + END + "hello", "hello")
    ok("an 8-bit reason", "HTTP/1.1 500 Oh n\u00e9\r\n" + LENGTH + END + "hello", "hello", status=500)
    ok("a status nobody knows", "HTTP/1.1 299 x\r\n" + LENGTH + END + "hello", "hello", status=299)


def answer_heads():
    for name, header, reason in (
            ("a folded header", "X: a\r\n b\r\n", "folded_line"), ("a space before a colon", "X : a\r\n", "space_before_colon"),
            ("a header without a colon", "X\r\n", "no_colon"), ("a header without a name", ": x\r\n", "name_empty"),
            ("an odd name", "X(: a\r\n", "name_odd"), ("a NUL in a value", "X: \x00\r\n", "nul_byte"), ("a bare CR in a value", "X: a\rb\r\n", "bare_cr"),
            ("a bare LF between headers", "X: a\nY: b\r\n", "bare_lf"), ("Content-Type twice", "Content-Type: a\r\n" * 2, "header_repeated"),
            ("Content-Encoding twice", "Content-Encoding: gzip\r\nContent-Encoding: br\r\n", "header_repeated"),
            ("Connection takes Content-Encoding away", "Connection: Content-Encoding\r\n", "connection_odd"),
            ("Connection takes Content-Length away", "Connection: content-length\r\n", "connection_odd"),
            ("an odd Connection", "Connection: a b\r\n", "connection_odd"),
            ("an 8-bit Content-Type", "Content-Type: text/\u00e4\r\n", "value_8bit")):
        bad(reason, name, OK_LINE + header + LENGTH + END + "hello")
    bad("too_many_headers", "101 headers", [OK_LINE, ["A: b\r\n", 101], END])
    bad("head_too_large", "a head without end", [OK_LINE, "A: ", ["b", 100000]])
    bad("plain_too_large", "a head of 20 KiB", [OK_LINE, "A: ", ["b", 20000], "\r\n", END])


def answer_lengths():
    for value in ("", "+5", "-5", "-1", "5,5", "5, 5", "0x5", "05", "5.0", "five", "5 5", "18446744073709551616", "99999999999999999999", "5\t"):
        bad("length_odd", f"Content-Length {value!r}", OK_LINE + f"Content-Length: {value}\r\n" + END + "hello")
    for first, second in (("5", "5"), ("5", "6"), ("0", "5"), ("5", "x")):
        bad("length_several", f"Content-Length {first} and {second}", OK_LINE + f"Content-Length: {first}\r\nContent-Length: {second}\r\n" + END + "hello")
    body = "5\r\nhello\r\n0\r\n\r\n"
    for value in ("", "identity", "gzip", "gzip, chunked", "chunked, chunked", "chunked, gzip", "xchunked", "chunked;x", "\"chunked\"", "chunked\t"):
        bad("coding_odd", f"Transfer-Encoding {value!r}", OK_LINE + f"Transfer-Encoding: {value}\r\n" + END + body)
    bad("coding_several", "Transfer-Encoding twice", OK_LINE + CHUNKED * 2 + END + body)
    bad("length_and_coding", "both lengths", OK_LINE + LENGTH + CHUNKED + END + body)
    bad("length_and_coding", "both lengths, the coding first", OK_LINE + CHUNKED + LENGTH + END + body)
    bad("coding_out_of_place", "chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\n" + CHUNKED + END + body)
    ok("a length", OK, "hello")
    ok("a length of 0", OK_LINE + "Content-Length: 0\r\n" + END, "")
    ok("a length, and bytes nobody asked for", OK + "junk", "hello", 4)
    ok("a length, and an answer nobody asked for", OK + OK, "hello", len(OK))
    ok("a length of 0, and bytes behind", OK_LINE + "Content-Length: 0\r\n" + END + "hello", "", 5)
    ok("no length: until the connection ends", OK_LINE + END + "hello\r\n\r\nHTTP/1.1 200 OK\r\n", "hello\r\n\r\nHTTP/1.1 200 OK\r\n")
    ok("no length and nothing", OK_LINE + END, "")
    ok("HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\n" + LENGTH + END + "hello", "hello")
    ok("HTTP/1.0 until the connection ends", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + END + "hello", "hello")


def answers_without_body():
    ok("HEAD with a length", OK_LINE + LENGTH + END, "", method="HEAD")
    ok("HEAD with a coding", OK_LINE + CHUNKED + END, "", method="HEAD")
    ok("HEAD with a body behind", OK_LINE + LENGTH + END + "hello", "", 5, method="HEAD")
    ok("204", "HTTP/1.1 204 No Content\r\n" + END, "", status=204)
    ok("204 with a length of 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n" + END, "", status=204)
    ok("204 with bytes behind", "HTTP/1.1 204 No Content\r\n" + END + "hello", "", 5, status=204)
    bad("length_out_of_place", "204 with a length", "HTTP/1.1 204 No Content\r\n" + LENGTH + END + "hello")
    bad("coding_out_of_place", "204 with a coding", "HTTP/1.1 204 No Content\r\n" + CHUNKED + END + "0\r\n\r\n")
    ok("304 with a length", "HTTP/1.1 304 Not Modified\r\n" + LENGTH + END, "", status=304)
    ok("304 with bytes behind", "HTTP/1.1 304 Not Modified\r\n" + LENGTH + END + "hello", "", 5, status=304)


def interim_answers():
    interim = "HTTP/1.1 100 Continue\r\n\r\n"
    ok("100 first", interim + OK, "hello")
    ok("several interim answers first", interim + "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + "HTTP/1.1 102 Processing\r\n\r\n" + OK, "hello")
    bad("length_out_of_place", "100 with a length", "HTTP/1.1 100 Continue\r\n" + LENGTH + END + "hello" + OK)
    bad("length_out_of_place", "100 with a length of 0", "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n" + END + OK)
    bad("coding_out_of_place", "103 with a coding", "HTTP/1.1 103 Early Hints\r\n" + CHUNKED + END + "0\r\n\r\n" + OK)
    bad("switched", "101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
    bad("switched", "101 without headers", "HTTP/1.1 101 x\r\n\r\n" + OK)
    bad("switched", "101 behind 100", interim + "HTTP/1.1 101 x\r\n\r\n" + OK)
    bad("status_line_odd", "junk behind 100", interim + "hello" + END + END)
    bad("empty_line", "an empty line behind 100", interim + END + OK)
    cut("nothing behind 100", interim, "")
    cut("half an answer behind 100", interim + OK_LINE, "")


def chunked_answers():
    for name, body, reason in CHUNK_FAULTS:
        bad(reason, f"chunks: {name}", [OK_LINE + CHUNKED + END, *parts(body)])
    for name, body, content in CHUNK_FINE:
        ok(f"chunks: {name}", OK_LINE + CHUNKED + END + body, content)
    ok("chunks: bytes nobody asked for", OK_LINE + CHUNKED + END + "5\r\nhello\r\n0\r\n\r\nHTTP/1.1", "hello", 8)


def cut_answers():
    for n, what in ((0, "nothing at all"), (4, "half a version"), (12, "half a status line"), (17, "no header"), (20, "half a header"), (36, "no empty line"),
                    (37, "half an empty line")):
        cut(f"cut: {what}", OK[:n], "")
    cut("cut: no body", OK[:-5], "")
    cut("cut: half a body", OK[:-2], "hel")
    chunks = OK_LINE + CHUNKED + END
    for body, content, what in (("", "", "before the first size"), ("5", "", "inside a size"), ("5\r", "", "inside a size's end"), ("5\r\n", "", "behind a size"),
                                ("5\r\nhel", "hel", "inside a chunk"), ("5\r\nhello", "hello", "behind a chunk"), ("5\r\nhello\r\n", "hello", "before the last size"),
                                ("5\r\nhello\r\n0", "hello", "inside the last size"), ("5\r\nhello\r\n0\r\n", "hello", "before the last line"),
                                ("5\r\nhello\r\n0\r\nA: b\r\n", "hello", "behind a trailer"), ("5\r\nhello\r\n0\r\n\r", "hello", "one byte too early")):
        cut(f"cut: {what}", chunks + body, content)


def build():
    for make in (line_ends, folded_lines, names, values, request_lines, target_forms, hosts, lengths, codings, single_headers, sizes, chunked_requests,
                 status_lines, answer_heads, answer_lengths, answers_without_body, interim_answers, chunked_answers, cut_answers):
        make()
    for rows in (requests, answers):
        for key in ("name", "bytes"):
            seen = [json.dumps(row[key]) + row.get("method", "") for row in rows]
            twice = {one for one in seen if seen.count(one) > 1}
            if twice:
                raise SystemExit(f"the same {key} twice: {sorted(twice)}")
    return {"requests.json": requests, "answers.json": answers}


def text_of(rows):
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


def main(check):
    status = 0
    for name, rows in build().items():
        path, text = HERE / name, text_of(rows)
        if check and (not path.exists() or path.read_text(encoding="ascii") != text):
            print(f"tests/hostile/{name} is not what make.py writes: run tests/hostile/make.py")
            status = 1
        elif not check:
            path.write_text(text, encoding="ascii")
            print(f"{name}: {len(rows)} rows, {len(text)} bytes")
    return status


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
