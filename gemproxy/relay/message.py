"""Reads one answer: the bytes of a connection in, its head, its body and its end out.

llhttp does the parsing (the package httptools): RFC 9112 with the leniencies that the client
library has for answers, too (a line that ends in LF alone, blanks behind a chunk's size, a folded
or an odd header value). Two lengths in one answer are refused. llhttp lets blanks stand between the
colon and a name that frames the answer; they are removed here (RFC 9112 section 5.1). Its callback
for a piece of the body is the ``append`` of a list, so a piece costs no call of Python; a read
joins its pieces once.

llhttp has no limits, so they are here: for a field, for the number of fields, for the whole head
with all interim answers (1xx) before it, and for the bytes around the body, so that neither
extensions of chunks nor trailers can go on for ever. The limits of a field and of their number are
those of the client library.

The answer ends where its framing says so. Bytes behind the end are not its body: they are dropped,
and the connection is not used again. Empty lines there are skipped by llhttp and by us. A body
without a length and without chunks ends with the connection; whether that was a clean end is for
the connection to say.
"""

import httptools
from multidict import CIMultiDict, CIMultiDictProxy

MOST_FIELD = 8190
"""Bytes of one field's name or value."""
MOST_FIELDS = 128
MOST_HEAD = 1 << 16
"""Bytes of the head, and of all interim answers with it."""
MOST_EXCESS = 1 << 14
"""Bytes around the body beyond those that its chunks account for."""
_CHUNK = 64
"""Bytes around one chunk that nobody has to explain: sizes padded with zeros, an extension."""
_AROUND_A_FIELD = len(": \r\n")

_SWITCHING_PROTOCOLS = 101
_OK = 200
_NO_BODY = frozenset({204, 304})
_NO_HEADERS = CIMultiDictProxy(CIMultiDict[str]())


class _Refused(Exception):
    """Ends the parsing; the text is for people and has nothing of the answer."""


class Message:
    """One answer; ``feed`` it what comes.

    ``begun``: the head is there. ``complete``: the body has ended as its framing says. ``fault``
    says why an answer cannot be read, None as long as it can. ``over``: either. ``keep``: the
    upstream means to keep the connection. ``behind``: bytes came behind the end. ``until_eof``: the
    body ends with the connection. ``length``: the bytes of the body, if the head says so.
    """

    __slots__ = (
        "_came",
        "_end",
        "_excess",
        "_fields",
        "_head_size",
        "_parser",
        "_pieces",
        "_status_line",
        "begun",
        "behind",
        "complete",
        "fault",
        "headers",
        "keep",
        "length",
        "on_body",
        "over",
        "status",
        "until_eof",
    )

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        self._fields: list[tuple[str, str]] = []
        self._status_line = b""
        self._came = self._head_size = self._excess = self._end = self.status = 0
        self.begun = self.over = self.complete = False
        self.behind = self.keep = self.until_eof = False
        self.fault: str | None = None
        self.length: int | None = None
        self.headers: CIMultiDictProxy[str] = _NO_HEADERS
        parser = httptools.HttpResponseParser(self)
        parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self._parser: httptools.HttpResponseParser | None = parser

    @property
    def reason(self) -> str:
        """The reason phrase, which may be empty."""
        return self._status_line.decode("utf-8", "surrogateescape")

    def feed(self, data: bytes | memoryview) -> bytes:
        """Take the next bytes of the connection; return what of the body is in them.

        What came before a fault is returned, too. An exception of this module's own passes.
        """
        if self.over or self._parser is None:
            self.behind = True
            return b""
        had_head = self.begun
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._stopped(error)
        pieces = self._pieces
        count, body = len(pieces), b""
        if count:
            if self.complete:
                del pieces[self._end :]
            body = pieces[0] if count == 1 and pieces else b"".join(pieces)
            pieces.clear()
        if not self.over:
            if not had_head:
                self._measure(len(data))
            else:
                excess = self._excess + len(data) - len(body) - count * _CHUNK
                self._excess = excess if excess > 0 else 0  # noqa: FURB136 (max would be a call)
                if excess > MOST_EXCESS:
                    self._refuse("too much around the chunks of the body")
        return body

    def _measure(self, came: int) -> None:
        """Count what came of a head that is not whole, apart from the fields that are in it."""
        if not self.begun:
            self._came += came
            if self._came > MOST_HEAD:
                self._refuse("the head is too large")

    def _refuse(self, why: str) -> None:
        self.over = True
        if self.fault is None:
            self.fault = why

    def _stopped(self, error: Exception) -> None:
        """Note why llhttp stopped; raise what failed in a callback, if that was no refusal."""
        said = error.__context__
        if isinstance(error, httptools.HttpParserCallbackError) and not isinstance(said, _Refused):
            raise said or error
        if self.complete:
            self.behind = True
        elif isinstance(error, httptools.HttpParserUpgrade):
            self._refuse("another protocol that nobody asked for")
        else:
            self._refuse(str(said if isinstance(said, _Refused) else error))

    def closed(self, *, cleanly: bool) -> None:
        """Take the end of the connection; ``cleanly``: the upstream said that it is one."""
        if cleanly and self.until_eof and self.fault is None:
            self.complete = self.over = True

    def end(self) -> None:
        """Take the end of a body of known length whose rest was not fed."""
        if self._parser is not None:
            self.complete = self.over = True
            self.keep = self._parser.should_keep_alive()

    def let_go(self) -> None:
        """Drop the parser, which holds this object in a cycle; more bytes are behind the end."""
        self._parser = None

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """Refuse a second answer; interim ones come before the first."""
        if self.complete:
            raise _Refused

    def on_status(self, reason: bytes) -> None:
        """Take a part of the reason phrase."""
        self._status_line += reason
        if len(self._status_line) > MOST_FIELD:
            raise _Refused("the status line is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; those behind the body are of no use to anybody."""
        if self.begun:
            return
        if len(name) > MOST_FIELD or len(value) > MOST_FIELD:
            raise _Refused("a header is too long")
        if len(self._fields) == MOST_FIELDS:
            raise _Refused("too many headers")
        if b"\0" in value:
            raise _Refused("a header with a NUL")
        self._head_size += len(name) + len(value) + _AROUND_A_FIELD
        text = value.rstrip(b" \t").decode("utf-8", "surrogateescape")
        self._fields.append((name.rstrip(b" ").decode("ascii"), text))

    def on_headers_complete(self) -> None:
        """Take the end of a head; that of an interim answer is forgotten."""
        status = self._parser.get_status_code() if self._parser is not None else 0
        if status == _SWITCHING_PROTOCOLS:
            raise _Refused("another protocol that nobody asked for")
        if status < _OK:
            self._fields.clear()
            self._status_line = b""
            return
        if self._head_size > MOST_HEAD:
            raise _Refused("the head is too large")
        self.begun, self.status = True, status
        headers = self.headers = CIMultiDictProxy(CIMultiDict(self._fields))
        if "Content-Length" in headers:
            self.length = _number(headers["Content-Length"])
        else:
            self.until_eof = (
                status not in _NO_BODY
                and "chunked" not in ",".join(headers.getall("Transfer-Encoding", ())).lower()
            )

    def on_message_complete(self) -> None:
        """Take the end of the answer, unless it was an interim one."""
        if self.begun and self._parser is not None:
            self.complete = self.over = True
            self._end = len(self._pieces)
            self.keep = self._parser.should_keep_alive()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None
