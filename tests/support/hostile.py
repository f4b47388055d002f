"""Messages that two readers could understand differently: requests, answers, and what should become of each.

A row is (name, bytes, expectation). In every row there is a second message that a sloppy reader would find behind the first: it must never
come into existence on the other side.
"""

from support import soap

CERTIFY = soap.CERTIFY
BODY = soap.request_body(CERTIFY)
MARK = b"smuggled-" * 3
SECOND = soap.request(soap.ACQUIRE_LICENSE, body=soap.request_body(soap.ACQUIRE_LICENSE) + b"<!--" + MARK + b"-->")
KIND = [b"Content-Type: text/xml; charset=utf-8", b'SOAPAction: "%s"' % CERTIFY.action.encode()]
LINE = b"POST %s HTTP/1.1" % CERTIFY.path.encode()
HOST = b"Host: rmsconnector.corp.test"
LENGTH = b"Content-Length: %d" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked"
BAD_NAME_BYTES = [b for b in range(256) if not (0x30 <= b <= 0x39 or 0x41 <= b <= 0x5A or 0x61 <= b <= 0x7A or b in b"!#$%&'*+-.^_`|~:\r\n")]
BAD_VALUE_BYTES = [b for b in range(32) if b not in b"\t\n\r"] + [0x7F]
BAD_LENGTHS = [b"", b"+5", b"-5", b"5 5", b"5,5", b"5, 5", b"5, 6", b"0x5", b"5.0", b"5e0", b"5;", b"5\t6", b"9" * 23, b"18446744073709551616",
               b"18446744073709551621", b"\x0b5", b"5\x0b", b'"5"', b"five", b"NaN", b"1_0", b"\xd9\xa5", b"5 ,5", b",5", b"5,"]
BAD_CODINGS = [b"chunked, chunked", b"identity", b"gzip, chunked", b"chunked, identity", b"xchunked", b"chunkedx", b"chunked;a=b", b'"chunked"',
               b"chunked\x0b", b"\x0bchunked", b"chunked,", b",chunked", b"", b"cow", b"chunked\tx", b"compress", b"deflate", b"gzip",
               b"chunked identity", b"identity, chunked", b"chunked\x00", b"chun ked", b"'chunked'", b"chunked/1"]


def head(*lines, start=LINE, end=b"\r\n"):
    return end.join([start, *lines]) + end + end


def request(*lines, body=BODY, start=LINE):
    return head(HOST, *KIND, *lines, start=start) + body + SECOND


def chunks(body, first=b"%x\r\n" % len(BODY), after=b"\r\n", last=b"0\r\n\r\n"):
    return first + body + after + last


def _heads():
    yield "LF behind the request line", LINE + b"\n" + request(LENGTH)[len(LINE) + 2:]
    yield "LF everywhere", head(HOST, *KIND, LENGTH, end=b"\n") + BODY + SECOND
    yield "CR everywhere", head(HOST, *KIND, LENGTH, end=b"\r") + BODY + SECOND
    for name, line in (("host", HOST), ("length", LENGTH), ("type", KIND[0])):
        good = request(LENGTH)
        for what, end in (("LF", b"\n"), ("CR", b"\r"), ("CR CR LF", b"\r\r\n"), ("LF CR", b"\n\r"), ("NUL CR LF", b"\0\r\n"), ("VT CR LF", b"\x0b\r\n")):
            yield f"{what} behind the {name} line", good.replace(line + b"\r\n", line + end, 1)
    for what, end in (("LF", b"\n"), ("CR", b"\r"), ("CR CR LF", b"\r\r\n"), ("space CR LF", b" \r\n"), ("tab CR LF", b"\t\r\n")):
        yield f"{what} as the empty line", head(HOST, *KIND, LENGTH)[:-2] + end + BODY + SECOND
    for what, line in (("host", HOST), ("length", LENGTH), ("coding", CHUNKED), ("another", b"X-Any: 1")):
        name, value = line.split(b": ")
        lines = [HOST, *KIND, LENGTH] if what in ("length", "host") else [HOST, *KIND, LENGTH, line] if what == "another" else [HOST, *KIND, line]
        body = chunks(BODY) if what == "coding" else BODY

        def put(new, lines=lines, line=line, body=body):
            return head(*[new if one == line else one for one in lines]) + body + SECOND
        yield f"{what}: space before the colon", put(name + b" : " + value)
        yield f"{what}: tab before the colon", put(name + b"\t: " + value)
        yield f"{what}: space before the name", put(b" " + line)
        yield f"{what}: tab before the name", put(b"\t" + line)
        yield f"{what}: no colon", put(name + b" " + value)
        yield f"{what}: colon before the name", put(b":" + line)
        yield f"{what}: no name", put(b": " + value)
        yield f"{what}: NUL in the name", put(name[:4] + b"\0" + name[4:] + b": " + value)
        yield f"{what}: NUL in the value", put(line + b"\0")
        yield f"{what}: CR in the value", put(line + b"\rX: 1")
        yield f"{what}: folded with a space", put(name + b":\r\n " + value)
        yield f"{what}: folded with a tab", put(name + b":\r\n\t" + value)
        yield f"{what}: folded behind", put(line + b"\r\n folded")
        yield f"{what}: an empty fold", put(line + b"\r\n ")
    for byte in BAD_NAME_BYTES:
        yield f"byte {byte:02x} in a name", request(LENGTH, b"X%cY: 1" % byte)
    for byte in BAD_VALUE_BYTES:
        yield f"byte {byte:02x} in a value", request(LENGTH, b"X-Any: a%cb" % byte)


def _lengths():
    for value in BAD_LENGTHS:
        yield f"length {value!r}", request(b"Content-Length: " + value)
    for value in BAD_CODINGS:
        yield f"coding {value!r}", request(b"Transfer-Encoding: " + value, body=chunks(BODY))
    size = len(BODY)
    for name, lines in {
            "twice the same length": [LENGTH, LENGTH], "two lengths": [LENGTH, b"Content-Length: 0"], "two lengths, other order": [b"Content-Length: 0", LENGTH],
            "two lengths in two spellings": [LENGTH, b"content-length: %d" % (size + 5)], "three lengths": [LENGTH] * 3}.items():
        yield name, request(*lines)
    for name, lines in {
            "length and chunked": [LENGTH, CHUNKED], "chunked and length": [CHUNKED, LENGTH], "chunked and length 0": [CHUNKED, b"Content-Length: 0"],
            "length 0 and chunked": [b"Content-Length: 0", CHUNKED], "chunked and a bad length": [CHUNKED, b"Content-Length: x"],
            "chunked twice": [CHUNKED, CHUNKED], "chunked and identity": [CHUNKED, b"Transfer-Encoding: identity"],
            "identity and chunked": [b"Transfer-Encoding: identity", CHUNKED], "chunked in two spellings": [CHUNKED, b"transfer-encoding: Chunked"],
            "gzip and chunked": [b"Transfer-Encoding: gzip", CHUNKED], "chunked and cow": [CHUNKED, b"Transfer-Encoding: cow"]}.items():
        yield name, request(*lines, body=chunks(BODY))
    yield "chunked in HTTP/1.0", request(CHUNKED, body=chunks(BODY), start=LINE[:-1] + b"0")


def _hosts():
    def with_host(*lines):
        return head(*lines, *KIND, LENGTH) + BODY + SECOND
    yield "no host", with_host()
    yield "two hosts", with_host(HOST, b"Host: other.test")
    yield "twice the same host", with_host(HOST, HOST)
    yield "two hosts in two spellings", with_host(HOST, b"hOST: other.test")
    for value in (b"a b", b"a,b", b"a/b", b"user@a", b"a:b", b"a:1:2", b"a\tb", b"[::1", b"::1]", b"a?x", b"a#b", b"a\\b", b"a%zz", b"\x80a", b"a:99999999999", b"<a>"):
        yield f"host {value!r}", with_host(b"Host: " + value)
    for target in (b"http://other.test", b"https://other.test", b"http://other.test:80", b"http://rmsconnector.corp.test:99", b"http://x@rmsconnector.corp.test",
                   b"http://rmsconnector.corp.test@other.test", b"http://", b"ftp://rmsconnector.corp.test", b"http:/", b"HTTP//rmsconnector.corp.test"):
        yield f"absolute form {target!r}", request(LENGTH, start=b"POST " + target + CERTIFY.path.encode() + b" HTTP/1.1")


def _request_lines():
    path = CERTIFY.path.encode()
    for version in (b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1", b"HTTP/1.", b"http/1.1", b"HTTP/11", b"HTTP/1.10", b"HTTP/01.1", b"HTTP/1.1\t", b"HTTP/1.1 ",
                    b"HTTP /1.1", b"HTTPS/1.1", b"RTSP/1.0", b"SIP/2.0", b"HTTP/3.0", b"HTTP/-1.1", b"HTTP/1,1", b"HTTP/ 1.1", b"HTTP", b"", b"ICE/1.0",
                    b"HTTP/1.1 HTTP/1.1", b"HTTP/+1.1", b"\0HTTP/1.1"):
        yield f"version {version!r}", request(LENGTH, start=b"POST " + path + b" " + version)
    yield "no version", request(LENGTH, start=b"POST " + path)
    yield "no target", request(LENGTH, start=b"POST HTTP/1.1")
    yield "no target, two spaces", request(LENGTH, start=b"POST  HTTP/1.1")
    yield "two spaces before the target", request(LENGTH, start=b"POST  " + path + b" HTTP/1.1")
    yield "two spaces behind the target", request(LENGTH, start=b"POST " + path + b"  HTTP/1.1")
    yield "tab before the target", request(LENGTH, start=b"POST\t" + path + b" HTTP/1.1")
    yield "tab behind the target", request(LENGTH, start=b"POST " + path + b"\tHTTP/1.1")
    yield "space before the method", request(LENGTH, start=b" " + LINE)
    yield "VT for a space", request(LENGTH, start=b"POST\x0b" + path + b" HTTP/1.1")
    yield "only a method", request(LENGTH, start=b"POST")
    for name, target in {"a space": path + b" x", "NUL": path + b"\0", "a fragment": path + b"#x", "CR": path + b"\rx", "DEL": path + b"\x7f",
                         "a byte above ASCII": path + b"\xff", "no slash": path[1:], "an asterisk": b"*", "an authority": b"rmsconnector.corp.test:443",
                         "a question mark first": b"?" + path, "a backslash first": b"\\" + path[1:], "a control byte": path + b"\x01"}.items():
        yield f"{name} in the target", request(LENGTH, start=b"POST " + target + b" HTTP/1.1")
    for method in (b"PO\0ST", b"PO ST", b"POST:", b"(POST)", b"PO\x80ST", b"\"POST\"", b"PO/ST", b"P@ST", b""):
        yield f"method {method!r}", request(LENGTH, start=method + b" " + path + b" HTTP/1.1")
    yield "CR before the request", b"\r" + request(LENGTH)
    yield "LF before the request", b"\n" + request(LENGTH)
    yield "two empty lines before the request", b"\r\n\r\n" + request(LENGTH)
    yield "NUL before the request", b"\0" + request(LENGTH)
    yield "CONNECT", request(LENGTH, start=b"CONNECT other.test:443 HTTP/1.1")


def _chunks():
    size = len(BODY)
    hexa = b"%x" % size

    def framed(*arguments, **how):
        return head(HOST, *KIND, CHUNKED) + chunks(BODY, *arguments, **how) + SECOND
    for name, first in {
            "nothing": b"", "a space": b" " + hexa, "0x": b"0x" + hexa, "+": b"+" + hexa, "-": b"-" + hexa, "_": b"_" + hexa, "g": b"g", "a tab": b"\t" + hexa,
            "a quote": b'"' + hexa + b'"'}.items():
        yield f"{name} before a chunk's size", framed(first + b"\r\n")
    for name, behind in {
            "a space": b" ", "a tab": b"\t", "a comma": b",", "h": b"h", "a point": b".", "NUL": b"\0", "VT": b"\x0b", "a space and an extension": b" ;a",
            "an extension with NUL": b";a=\0", "an extension with CR": b";a\rb", "an extension with LF": b";a\nb", "a long extension": b";" + b"a" * 20000,
            "a quoted extension with LF": b';a="\n"', "an extension with a control byte": b";a=\x01"}.items():
        yield f"{name} behind a chunk's size", framed(hexa + behind + b"\r\n")
    for name, end in {"LF": b"\n", "CR": b"\r", "CR CR LF": b"\r\r\n", "LF CR": b"\n\r", "nothing": b""}.items():
        yield f"{name} behind the size line", framed(hexa + end)
        yield f"{name} behind a chunk", framed(after=end)
    yield "a byte too many in a chunk", framed(after=b"x\r\n")
    yield "a chunk longer than it says", framed(b"%x\r\n" % (size - 1))
    yield "a size of 17 digits", framed(b"f" * 17 + b"\r\n")
    yield "a size that overflows to the right one", framed(b"1" + b"0" * 16 + b"\r\n" if size == 0 else b"1" + b"%016x" % size + b"\r\n")
    yield "a size of 100 zeros and the size", framed(b"0" * 100 + hexa + b"\r\n")
    for name, last in {"LF LF": b"0\n\n", "CRLF LF": b"0\r\n\n", "LF CRLF": b"0\n\r\n", "CR CR": b"0\r\r", "a space": b"0 \r\n\r\n", "CRLF CR x": b"0\r\n\rx"}.items():
        yield f"the last chunk with {name}", framed(last=last)
    for name, trailer in {"space before the colon": b"X : 1", "no colon": b"X", "a fold": b" X: 1", "NUL": b"X: \0", "CR": b"X: \r1", "a bad name": b"X(: 1", "no name": b": 1",
                          "LF": b"X: 1\nY: 2", "a length": b"Content-Length: 3", "a coding": CHUNKED, "a host": b"Host: other.test"}.items():
        yield f"a trailer with {name}", framed(last=b"0\r\n" + trailer + b"\r\n\r\n")


REQUEST_HEADS = [*_heads(), *_lengths(), *_hosts(), *_request_lines()]
REQUEST_BODIES = list(_chunks())

# ---- answers ----

GOOD = b"<answer>" + b"x" * 50 + b"</answer>"
POISON = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(MARK), MARK)
OK = b"HTTP/1.1 200 OK"
XML = b"Content-Type: text/xml"
SIZE = b"Content-Length: %d" % len(GOOD)


def reply(*lines, start=OK, body=GOOD):
    return head(XML, *lines, start=start) + body


def _bad_answers():
    for start in (b"HTTP/1.1 99 x", b"HTTP/1.1 1000 x", b"HTTP/1.1 20 x", b"HTTP/1.1 2 0 x", b"HTTP/1.1 -200 x", b"HTTP/2.0 200 OK", b"HTTP/1.1  200 OK", b"http/1.1 200 OK",
                  b"HTTP/1.1200 OK", b"200 OK", b" HTTP/1.1 200 OK", b"ICY 200 OK", b"HTTP/1.1 000 x", b"HTTP/1.1 abc x", b"HTTP/1.1 2000", b"HTTP/1.2 200 OK",
                  b"HTTP/1.1 200 O\0K", b"HTTP/1.1 200 O\rK", b"HTTP/0.9 200 OK", b"HTTP/1.1\t200 OK", b"HTTPS/1.1 200 OK", b"HTTP/11 200 OK", b"HTTP/1.1 0x200 OK",
                  b"HTTP/1.1 200.1 OK", b"\0HTTP/1.1 200 OK", b"HTTP/1.1 600 x", b"HTTP/1.1 999 x", b"RTSP/1.0 200 OK", b"HTTP/1.1", b"<html>"):
        yield f"status line {start!r}", reply(SIZE, start=start)
    yield "LF everywhere", head(XML, SIZE, start=OK, end=b"\n") + GOOD
    yield "LF behind the status line", OK + b"\n" + reply(SIZE)[len(OK) + 2:]
    yield "LF behind a header", reply(SIZE).replace(XML + b"\r\n", XML + b"\n")
    yield "LF as the empty line", reply(SIZE).replace(b"\r\n\r\n", b"\r\n\n", 1)
    yield "CR in a header", reply(SIZE, b"X: a\rb")
    yield "NUL in a header", reply(SIZE, b"X: a\0b")
    yield "space before the colon", reply(b"Content-Length : %d" % len(GOOD))
    yield "space before the coding's colon", reply(b"Transfer-Encoding : chunked", SIZE)
    yield "folded", reply(SIZE, b"X: a\r\n b")
    yield "folded length", reply(b"Content-Length:\r\n %d" % len(GOOD))
    yield "folded first line", head(b" X: 1", XML, SIZE, start=OK) + GOOD
    yield "no colon", reply(SIZE, b"X")
    yield "no name", reply(SIZE, b": 1")
    yield "a bad name", reply(SIZE, b"X(Y: 1")
    yield "a name above ASCII", reply(SIZE, b"X\x80: 1")
    for value in BAD_LENGTHS:
        yield f"length {value!r}", reply(b"Content-Length: " + value)
    for value in BAD_CODINGS:
        yield f"coding {value!r}", reply(b"Transfer-Encoding: " + value, body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD))
    both = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    yield "both lengths", reply(SIZE, CHUNKED, body=both)
    yield "both lengths, other order", reply(CHUNKED, b"Content-Length: 5", body=both)
    yield "two lengths", reply(SIZE, b"Content-Length: 5")
    yield "twice the same length", reply(SIZE, SIZE)
    yield "chunked twice", reply(CHUNKED, CHUNKED, body=both)
    yield "chunked in HTTP/1.0", reply(CHUNKED, start=b"HTTP/1.0 200 OK", body=both)
    yield "a head without end", OK + b"\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(300))
    yield "too many headers", reply(SIZE, *[b"X-%d: y" % i for i in range(300)])
    yield "a line without end", OK + b"\r\nX: " + b"y" * 300_000
    yield "a status line without end", OK + b"K" * 300_000
    yield "1xx without end", b"HTTP/1.1 100 Continue\r\n\r\n" * 3000
    yield "101", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + GOOD
    yield "1xx with both lengths", b"HTTP/1.1 103 Early\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + reply(SIZE)
    yield "half a 1xx", b"HTTP/1.1 100 Con\x01tinue\r\n\r\n" + reply(SIZE)
    yield "nothing but empty lines", b"\r\n" * 50
    yield "304 to a POST", reply(start=b"HTTP/1.1 304 Not Modified", body=b"")


def _bad_answer_bodies():
    """The head is fine and on its way to the caller when the body turns out wrong: the answer must look incomplete."""
    hexa = b"%x" % len(GOOD)

    def framed(first, after=b"\r\n", last=b"0\r\n\r\n"):
        return reply(CHUNKED, body=first + GOOD + after + last)
    for name, first in {"0x": b"0x" + hexa, "+": b"+" + hexa, "a space first": b" " + hexa, "not a number": b"zz", "a space behind": hexa + b" ", "a tab behind": hexa + b"\t",
                        "a comma": hexa + b",", "NUL in an extension": hexa + b";\0", "CR in an extension": hexa + b";\rx", "LF in an extension": hexa + b";\nx",
                        "17 digits": b"f" * 17, "overflow": b"1%016x" % len(GOOD), "a long extension": hexa + b";" + b"e" * 20000, "nothing": b""}.items():
        yield f"chunk size with {name}", framed(first + b"\r\n")
    for name, end in {"LF": b"\n", "CR": b"\r", "nothing": b"", "CR CR LF": b"\r\r\n"}.items():
        yield f"{name} behind the size", framed(hexa + end)
        yield f"{name} behind a chunk", framed(hexa + b"\r\n", end)
    yield "a chunk longer than it says", framed(b"%x\r\n" % (len(GOOD) - 1))
    yield "the last chunk with LF", framed(hexa + b"\r\n", last=b"0\n\n")
    yield "the last chunk with CRLF LF", framed(hexa + b"\r\n", last=b"0\r\n\n")
    yield "a bad trailer", framed(hexa + b"\r\n", last=b"0\r\nX : y\r\n\r\n")
    yield "a folded trailer", framed(hexa + b"\r\n", last=b"0\r\n X: y\r\n\r\n")


def _odd_answers():
    """Strange but clear: (name, bytes, status, body, whether the connection may be used again)."""
    both = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
    yield "100 first", go_on + reply(SIZE), 200, GOOD, True
    yield "several 1xx", go_on + b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + go_on + b"HTTP/1.1 102 Processing\r\n\r\n" + reply(SIZE), 200, GOOD, True
    yield "chunked in capitals", reply(b"Transfer-Encoding: Chunked", body=both), 200, GOOD, True
    yield "trailers", reply(CHUNKED, body=both[:-2] + b"X-Sum: 1\r\n\r\n"), 200, GOOD, True
    yield "a short chunk extension", reply(CHUNKED, body=both.replace(b"\r\n", b";a=b\r\n", 1)), 200, GOOD, True
    yield "capital digits of a chunk", reply(CHUNKED, body=(b"%X\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD))), 200, GOOD, True
    yield "204", head(start=b"HTTP/1.1 204 No Content"), 204, b"", True
    yield "length 0", head(XML, b"Content-Length: 0", start=OK), 200, b"", True
    yield "no reason", reply(SIZE, start=b"HTTP/1.1 200 "), 200, GOOD, True
    yield "a reason above ASCII", reply(SIZE, start=b"HTTP/1.1 200 D\xe9j\xe0"), 200, GOOD, True
    yield "spaces round a value", reply(SIZE, b"X-Any: \t a \t "), 200, GOOD, True
    yield "no space behind a colon", reply(b"Content-Length:%d" % len(GOOD)), 200, GOOD, True
    yield "HTTP/1.0", reply(SIZE, start=b"HTTP/1.0 200 OK"), 200, GOOD, False
    yield "close", reply(SIZE, b"Connection: close"), 200, GOOD, False
    yield "close in a list", reply(SIZE, b"Connection: x, Close"), 200, GOOD, False


BAD_ANSWERS = list(_bad_answers())
BAD_ANSWER_BODIES = list(_bad_answer_bodies())
ODD_ANSWERS = list(_odd_answers())
