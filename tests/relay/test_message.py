"""One answer, byte by byte: where it begins, where it ends, and what is refused."""

import gc
import sys

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.relay.message import MOST_EXCESS, MOST_FIELD, MOST_FIELDS, MOST_HEAD, Message

OK = b"HTTP/1.1 200 OK\r\n"
SIZED = OK + b"X-A: 1\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
IN_CHUNKS = CHUNKED + b"3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\nX-B: 2\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
UNTIL_EOF = OK + b"X-A: 1\r\n\r\nhello"


def read(*pieces: bytes) -> tuple[Message, bytes]:
    message = Message()
    body = b"".join([message.feed(piece) for piece in pieces])
    return message, body


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


WHOLE = [SIZED, IN_CHUNKS, INTERIM + SIZED, INTERIM + IN_CHUNKS]


@pytest.mark.parametrize("answer", WHOLE)
def test_an_answer_is_the_same_wherever_it_is_cut(answer: bytes) -> None:
    cuts = [[answer], one_by_one(answer)]
    cuts += [[answer[:at], answer[at:]] for at in range(1, len(answer))]

    for pieces in cuts:
        message, body = read(*pieces)
        assert (message.status, message.reason, body) == (200, "OK", b"hello")
        assert (message.complete, message.keep, message.over) == (True, True, True)
        assert (message.behind, message.fault, message.until_eof) == (False, None, False)
        assert "X-B" not in message.headers
        assert "X-Sum" not in message.headers


@pytest.mark.parametrize("answer", WHOLE)
def test_no_beginning_of_an_answer_is_whole(answer: bytes) -> None:
    for at in range(len(answer)):
        message, body = read(answer[:at])
        message.closed(cleanly=True)

        assert not message.over
        assert b"hello".startswith(body)


@pytest.mark.parametrize("answer", WHOLE)
@pytest.mark.parametrize("more", [SIZED, b"H", b"evil", OK, b"\0", b"\r\n" + SIZED])
def test_bytes_behind_the_end_are_cut_off(answer: bytes, more: bytes) -> None:
    whole = answer + more
    for at in range(1, len(whole)):
        message, body = read(whole[:at], whole[at:])

        assert body == b"hello"
        assert (message.complete, message.behind) == (True, True)
        assert message.headers.get("X-A") != "2"


def test_empty_lines_behind_the_end_carry_nothing() -> None:
    message, body = read(SIZED + b"\r\n")

    assert (body, message.complete, message.behind) == (b"hello", True, False)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    message, body = read(UNTIL_EOF, b" world")
    assert (body, message.until_eof, message.over) == (b"hello world", True, False)

    message.closed(cleanly=False)
    assert not message.complete

    message.closed(cleanly=True)
    assert (message.complete, message.keep) == (True, False)


@pytest.mark.parametrize(
    "answer",
    [
        SIZED.replace(b"Length:", b"Length :"),
        SIZED.replace(b"Length:", b"Length  :"),
        IN_CHUNKS.replace(b"Encoding:", b"Encoding :"),
    ],
)
def test_a_blank_before_a_colon_is_no_part_of_the_name(answer: bytes) -> None:
    message, body = read(answer)
    assert (body, message.complete, message.until_eof) == (b"hello", True, False)
    assert not any(name.endswith(" ") for name in message.headers)

    cut, _ = read(answer[: answer.index(b"hel") + 3])
    cut.closed(cleanly=True)
    assert (cut.begun, cut.complete) == (True, False)


@pytest.mark.parametrize("size", [1000, 16_000, 1 << 20])
def test_a_large_head_is_read_however_it_is_cut(size: int) -> None:
    answer = OK + (b"X-A: " + b"a" * 8000 + b"\r\n") * 8 + b"Content-Length: 5\r\n\r\nhello"
    assert len(answer) < MOST_HEAD

    message, body = read(*[answer[at : at + size] for at in range(0, len(answer), size)])
    assert (message.fault, body) == (None, b"hello")


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body_whatever_they_say(status: int) -> None:
    message, body = read(b"HTTP/1.1 %d No\r\nContent-Length: 5\r\n\r\n" % status)

    assert (message.status, message.complete, message.until_eof, body) == (status, True, False, b"")


@pytest.mark.parametrize(
    ("answer", "keep"),
    [
        (SIZED, True),
        (SIZED.replace(b"X-A: 1", b"Connection: close"), False),
        (SIZED.replace(b"HTTP/1.1", b"HTTP/1.0"), False),
        (SIZED.replace(b"X-A: 1", b"Connection: keep-alive").replace(b"1.1", b"1.0"), True),
    ],
)
def test_the_upstream_says_whether_the_connection_is_kept(answer: bytes, *, keep: bool) -> None:
    message, _ = read(answer)

    assert (message.complete, message.keep) == (True, keep)


def test_bytes_behind_a_last_answer_are_seen() -> None:
    message, body = read(SIZED.replace(b"X-A: 1", b"Connection: close") + b"more")

    assert (body, message.complete, message.behind) == (b"hello", True, True)


REFUSED = {
    "no HTTP": b"SMTP ready\r\n\r\n",
    "HTTP/2": b"HTTP/2 200 OK\r\n\r\n",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "one length twice": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "no number": OK + b"Content-Length: five\r\n\r\nhello",
    "a length and chunks": CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunks and a length": OK
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a name with a blank": OK + b"X-A : 1\r\n\r\n",
    "a name that is no token": OK + b"X\xc3\xa9: 1\r\n\r\n",
    "a NUL": OK + b"X-A: 1\0\r\nContent-Length: 5\r\n\r\nhello",
    "another protocol": b"HTTP/1.1 101 On\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\nhello",
    "another protocol, unnamed": b"HTTP/1.1 101 On\r\n\r\nhello",
    "a long value": OK + b"X-A: " + b"a" * (MOST_FIELD + 1) + b"\r\n\r\n",
    "a long name": OK + b"a" * (MOST_FIELD + 1) + b": 1\r\n\r\n",
    "a long reason": b"HTTP/1.1 200 " + b"a" * (MOST_FIELD + 1) + b"\r\n\r\n",
    "many headers": OK + b"X-A: 1\r\n" * (MOST_FIELDS + 1) + b"\r\n",
    "a large head": OK + (b"X-A: " + b"a" * 8000 + b"\r\n") * 9 + b"\r\n",
    "a large head that has no end": b"HTTP/1.1 200 OK" + b" " * (MOST_HEAD + 1),
    "interim answers for ever": b"HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n" * 2000,
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    for size in (len(answer), 1000, 7):
        message, body = read(*[answer[at : at + size] for at in range(0, len(answer), size)])

        assert message.fault
        assert "hello" not in message.fault
        assert (message.over, message.complete, message.begun, body) == (True, False, False, b"")


FALSE_CHUNKS = {
    "no number": b"zz\r\nevil",
    "a negative size": b"-1\r\nevil",
    "a size with a prefix": b"0x4\r\nevil\r\n",
    "too large a size": b"fffffffffffffffff\r\nevil",
    "a longer chunk than its size": b"2\r\nevil\r\n",
    "an endless extension": b"4;" + b"a" * (MOST_EXCESS + 9),
    "an extension in each chunk": (b"1;" + b"a" * 200 + b"\r\n-\r\n") * 200,
    "endless trailers": b"0\r\n" + b"X-A: 1\r\n" * 9999,
}


@pytest.mark.parametrize("chunks", FALSE_CHUNKS.values(), ids=FALSE_CHUNKS.keys())
@pytest.mark.parametrize("size", [1 << 18, 999, 7])
def test_what_came_before_a_false_chunk_is_kept(chunks: bytes, size: int) -> None:
    answer = CHUNKED + b"5\r\nhello\r\n"
    pieces = [chunks[at : at + size] for at in range(0, len(chunks), size)]

    message, body = read(answer, *pieces)

    assert message.fault
    assert (message.over, message.complete) == (True, False)
    assert body.startswith(b"hello")


@pytest.mark.parametrize("size", [b"1", b"00000001", b"1 ", b"1;ieof", b"1;name=" + b"v" * 40])
def test_a_million_small_chunks_are_no_excess(size: bytes) -> None:
    message = Message()
    message.feed(CHUNKED)
    chunks = (size + b"\r\n-\r\n") * 1000

    for _ in range(20):
        assert message.feed(chunks) == b"-" * 1000
    for byte in one_by_one(chunks):
        message.feed(byte)

    assert message.fault is None


def test_answers_are_read_as_leniently_as_by_the_library() -> None:
    message, body = read(
        b"HTTP/1.1 200 OK\nX-A: \xfc \r\nX-F: a\r\n b\nX-C: a\x01\n"
        b"Transfer-Encoding: chunked\n\n5 \r\nhello\r\n0\r\n\r\n"
    )

    assert (body, message.complete) == (b"hello", True)
    assert dict(message.headers) == {
        "X-A": "\udcfc",
        "X-F": "a b",
        "X-C": "a\x01",
        "Transfer-Encoding": "chunked",
    }


@given(st.binary(max_size=400), st.integers(1, 50))
def test_no_bytes_raise(data: bytes, size: int) -> None:
    message, body = read(b"HTTP/1.1 ", *[data[at : at + size] for at in range(0, len(data), size)])

    message.closed(cleanly=True)
    assert len(body) <= len(data)


@given(st.binary(max_size=200), st.integers(1, 20))
def test_no_bytes_in_a_chunked_body_raise_or_are_made_up(data: bytes, size: int) -> None:
    message, body = read(CHUNKED, *[data[at : at + size] for at in range(0, len(data), size)])

    assert body in data or len(body) < len(data)
    assert message.over or not message.complete


@pytest.mark.parametrize(
    "callback",
    ["on_message_begin", "on_status", "on_header", "on_headers_complete", "on_message_complete"],
)
def test_what_a_callback_raises_is_raised(monkeypatch: pytest.MonkeyPatch, callback: str) -> None:
    def fail(*_: object) -> None:
        raise MemoryError(callback)

    monkeypatch.setattr(Message, callback, fail)

    with pytest.raises(MemoryError, match=callback):
        read(SIZED)


def test_what_taking_a_piece_of_the_body_raises_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(list[bytes]):
        def append(self, _: bytes) -> None:
            raise MemoryError("append")

    def init(self: Message) -> None:
        made(self)
        self.on_body = Failing().append
        self._parser = httptools.HttpResponseParser(self)

    made = Message.__init__
    monkeypatch.setattr(Message, "__init__", init)

    with pytest.raises(MemoryError, match="append"):
        read(SIZED)


def test_an_answer_that_was_read_leaves_no_cycle() -> None:
    gc.collect()
    gc.disable()
    try:
        for answer in (SIZED, IN_CHUNKS, CHUNKED + b"zz\r\n"):
            message, _ = read(answer)
            message.let_go()
            assert message.feed(b"more") == b""
            assert sys.getrefcount(message) == 2
            del message
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("field", "length"),
    [(b"Content-Length: 5", 5), (b"Transfer-Encoding: chunked", None), (b"X: y", None)],
)
def test_an_answer_says_how_long_its_body_is_or_not(field: bytes, length: int | None) -> None:
    message = Message()
    message.feed(b"HTTP/1.1 200 OK\r\n" + field + b"\r\n\r\n")

    assert message.length == length


@pytest.mark.parametrize("keep", [True, False])
def test_a_body_may_be_read_elsewhere_to_its_end(*, keep: bool) -> None:
    message, how = Message(), b"keep-alive" if keep else b"close"
    message.feed(b"HTTP/1.1 200 OK\r\nConnection: %s\r\nContent-Length: 9\r\n\r\nbe" % how)
    message.end()

    assert (message.complete, message.over, message.keep) == (True, True, keep)
    assert message.feed(b"gun") == b""
    assert message.behind
