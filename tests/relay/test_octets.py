"""Header values that are not UTF-8 pass as the bytes that they are, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gemproxy.relay.octets import head
from tests.running import StartProxy
from tests.sockets import Reader, Writer, connected, scripted
from tests.sockets import head as head_of
from tests.wire import STREAM

VALUE = st.binary(max_size=20).filter(
    lambda value: not set(value) & {*range(9), *range(10, 32), 127}
)

OCTETS = {
    "an umlaut of Node's fetch": b"T\xdcR.txt",
    "UTF-8": "TÜR 文 😀.txt".encode(),
    "both": "Ü".encode() + b"\xdc\xff\xfe",
    "half a character": b"\xe6\x96",
    "a surrogate in UTF-8": b"\xed\xa0\x80",
    "all of them": bytes(range(0x80, 0x100)),
}


@given(VALUE)
def test_a_value_is_written_as_it_came(value: bytes) -> None:
    read = value.decode("utf-8", "surrogateescape")

    made = head("GET / HTTP/1.1", CIMultiDict({"A": "b", "X": read}))

    assert made == b"GET / HTTP/1.1\r\nA: b\r\nX: " + value + b"\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nb", "\udcdc\n", "é\0", "é\x7f"])
def test_a_value_that_would_end_its_header_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="ontrol character"):
        head("GET / HTTP/1.1", CIMultiDict({"X": value}))


@pytest.mark.parametrize("name", OCTETS)
@pytest.mark.parametrize(
    "target",
    [
        STREAM,
        "/v1beta/models/gemini-test:generateContent",
        "/v1beta/corpora",
        "/upload/v1beta/files",
        "/v1beta/interactions",
    ],
)
async def test_octets_pass_both_ways(target: str, name: str, proxy: StartProxy) -> None:
    value = OCTETS[name]
    heads: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        start = await head_of(reader)
        heads.append(start)
        size = int(start.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(size)
        answer = b"HTTP/1.1 403 No\r\nContent-Type: application/json\r\n"
        writer.write(answer + b"X-Told: %b\r\nContent-Length: 2\r\n\r\n{}" % value)

    raw = (
        b"POST %b HTTP/1.1\r\nHost: h\r\nX-Goog-Upload-File-Name: %b\r\nContent-Length: 2\r\n\r\n{}"
    )
    async with scripted(script) as url:
        port = int((await proxy(str(url))).url.rpartition(":")[2])
        async with connected(port, raw % (target.encode(), value)) as client:
            told = await client.head()

    assert b"\r\nX-Goog-Upload-File-Name: %b\r\n" % value in heads[0]
    assert b"\r\nX-Told: %b\r\n" % value in told
