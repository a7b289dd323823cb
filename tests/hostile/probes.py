"""Requests by which one tries to make two HTTP implementations read different things.

Each says what gemproxy answers and how many requests the upstream gets to see: none, or the
one that both sides read alike. The kinds are those of the published smuggling work (RFC 9112
section 11.2, "HTTP Garden", PortSwigger's desync research), by name.
"""

import attrs

TARGET = b"/v1beta/corpora"

_FORM = b"Host: proxy.test\r\n"


@attrs.frozen
class Probe:
    """One probe: bytes as they go over the socket, and what has to come of them.

    ``status`` is that of the first answer; ``passed`` counts the requests that reach the
    upstream.
    """

    name: str
    raw: bytes = attrs.field(repr=False)
    status: int = 400
    passed: int = 0


def _post(*lines: bytes, body: bytes = b"", host: bytes = _FORM, target: bytes = TARGET) -> bytes:
    headers = b"".join(line + b"\r\n" for line in lines)
    return b"POST %b HTTP/1.1\r\n%b%b\r\n%b" % (target, host, headers, body)


def _get(
    target: bytes = TARGET, *lines: bytes, host: bytes = _FORM, version: bytes = b"HTTP/1.1"
) -> bytes:
    headers = b"".join(line + b"\r\n" for line in lines)
    return b"GET %b %b\r\n%b%b\r\n" % (target, version, host, headers)


CHUNKED = b"Transfer-Encoding: chunked"
ONE = b"1\r\nx\r\n0\r\n\r\n"
"""A chunked body of one byte."""

NEXT = b"GET /v1beta/smuggled HTTP/1.1\r\nHost: proxy.test\r\n\r\n"
"""What a smuggler would like to be read as a request of its own."""

PROBES = (
    # Two lengths
    Probe("Content-Length and Transfer-Encoding", _post(b"Content-Length: 4", CHUNKED, body=ONE)),
    Probe("the same, the other way round", _post(CHUNKED, b"Content-Length: 4", body=ONE)),
    Probe("two different Content-Lengths", _post(b"Content-Length: 1", b"Content-Length: 2")),
    Probe("two equal Content-Lengths", _post(b"Content-Length: 1", b"Content-Length: 1")),
    Probe("a list as Content-Length", _post(b"Content-Length: 1, 1", body=b"x")),
    Probe("Content-Length +4", _post(b"Content-Length: +4", body=b"abcd")),
    Probe("Content-Length -1", _post(b"Content-Length: -1")),
    Probe("Content-Length 0x4", _post(b"Content-Length: 0x4", body=b"abcd")),
    Probe("Content-Length 0_4", _post(b"Content-Length: 0_4", body=b"abcd")),
    Probe("an empty Content-Length", _post(b"Content-Length:")),
    Probe("Content-Length in other digits", _post("Content-Length: ١".encode())),
    Probe("a huge Content-Length", _post(b"Content-Length: " + b"9" * 30)),
    # Transfer-Encoding that only some understand
    Probe("Transfer-Encoding: xchunked", _post(b"Transfer-Encoding: xchunked", body=ONE)),
    Probe("chunked, identity", _post(b"Transfer-Encoding: chunked, identity", body=ONE)),
    Probe("identity, chunked", _post(b"Transfer-Encoding: identity, chunked", body=ONE), 400),
    Probe("chunked twice in one header", _post(b"Transfer-Encoding: chunked, chunked", body=ONE)),
    Probe("two Transfer-Encodings", _post(CHUNKED, CHUNKED, body=ONE)),
    Probe("gzip, chunked", _post(b"Transfer-Encoding: gzip, chunked", body=ONE), 400),
    Probe("a space before the colon", _post(b"Transfer-Encoding : chunked", body=ONE)),
    Probe("a folded header", _post(b"Transfer-Encoding:\r\n chunked", body=ONE)),
    Probe("a vertical tab before chunked", _post(b"Transfer-Encoding: \x0bchunked", body=ONE)),
    Probe(
        "chunked with a Kelvin sign", _post("Transfer-Encoding: chun\u212aed".encode(), body=ONE)
    ),
    Probe("chunked in quotes", _post(b'Transfer-Encoding: "chunked"', body=ONE)),
    Probe(
        "Transfer-Encoding in HTTP/1.0",
        b"POST %b HTTP/1.0\r\n%b%b\r\n\r\n%b" % (TARGET, _FORM, CHUNKED, ONE),
        400,
    ),
    # Chunks
    Probe("a chunk size of 0x1", _post(CHUNKED, body=b"0x1\r\nx\r\n0\r\n\r\n")),
    Probe("a negative chunk size", _post(CHUNKED, body=b"-1\r\nx\r\n0\r\n\r\n")),
    Probe("a chunk size that overflows", _post(CHUNKED, body=b"f" * 17 + b"\r\nx\r\n0\r\n\r\n")),
    Probe("a chunk that ends in a bare LF", _post(CHUNKED, body=b"1\nx\n0\n\n")),
    Probe("a chunk extension with a bare LF", _post(CHUNKED, body=b"1;a\nb\r\nx\r\n0\r\n\r\n")),
    Probe("a chunk longer than its size", _post(CHUNKED, body=b"1\r\nxyz\r\n0\r\n\r\n")),
    Probe("a space before a chunk size", _post(CHUNKED, body=b" 1\r\nx\r\n0\r\n\r\n")),
    Probe("a request behind a chunked body", _post(CHUNKED, body=ONE + NEXT), 200, 2),
    # Lines
    Probe("lines that end in a bare LF", b"GET %b HTTP/1.1\nHost: proxy.test\n\n" % TARGET),
    Probe("a bare CR in a value", _get(TARGET, b"X-A: b\rTransfer-Encoding: chunked")),
    Probe("a NUL in a value", _get(TARGET, b"X-A: b\x00c")),
    Probe("a control character in a value", _get(TARGET, b"X-A: b\x01c")),
    Probe("a byte that is no UTF-8 in a value", _get(TARGET, b"X-A: T\xdcR"), 200, 1),
    Probe("a byte that is no UTF-8 in a name", _get(TARGET, b"X-\xdc: b")),
    Probe("a space in a name", _get(TARGET, b"X A: b")),
    Probe("a name that is empty", _get(TARGET, b": b")),
    Probe("a line without a colon", _get(TARGET, b"nothing")),
    Probe("130 headers", _get(TARGET, *(b"X-%d: 1" % number for number in range(130)))),
    Probe("a header of 9 kB", _get(TARGET, b"X-A: " + b"b" * 9000)),
    # Who is asked
    Probe("no Host", _get(host=b"")),
    Probe("two Hosts", _get(TARGET, b"Host: other.test")),
    Probe("a Host with a path", _get(host=b"Host: x/?\r\n")),
    Probe("a Host with a fragment", _get(host=b"Host: x/#\r\n")),
    Probe("a Host with a user", _get(host=b"Host: a@b\r\n")),
    Probe("a Host with a space", _get(host=b"Host: a b\r\n")),
    Probe("an empty Host", _get(host=b"Host:\r\n"), 200, 1),
    Probe("a Host with a port that is none", _get(host=b"Host: a:b\r\n")),
    Probe("a target with another host", _get(b"http://evil.test" + TARGET), 200, 1),
    Probe("CONNECT", b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n"),
    Probe("a target that is no path", _get(b"v1beta")),
    # Versions and methods
    Probe("HTTP/1.9", _get(version=b"HTTP/1.9")),
    Probe("HTTP/2.0", _get(version=b"HTTP/2.0")),
    Probe("HTTP/3", _get(version=b"HTTP/3")),
    Probe("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Probe("a handshake of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    Probe("a method that is none", b"G=T %b HTTP/1.1\r\n%b\r\n" % (TARGET, _FORM)),
    Probe("HTTP/0.9", b"GET %b\r\n\r\n" % TARGET),
    Probe("a GET with a body", _get(TARGET, b"Content-Length: 1") + b"x", 200, 1),
    Probe(
        "a request behind a GET with a body",
        _get(TARGET, b"Content-Length: 1") + b"x" + NEXT,
        200,
        2,
    ),
    Probe(
        "an unknown expectation", _post(b"Content-Length: 1", b"Expect: 200-maybe", body=b"x"), 417
    ),
    Probe(
        "Upgrade: h2c",
        _get(
            TARGET,
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABkAAQAAP__",
        ),
        200,
        1,
    ),
)
