"""The client's end of the wire: every byte that came, and how the connection ended.

A raw socket, because an HTTP library hides what is tested here: whether a body was completed
with its last chunk, closed before that, or reset.
"""

import asyncio
import contextlib
import enum
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import attrs
from multidict import CIMultiDict

from gemproxy.core.errors import upstream_error
from tests.gemini import BODY, Json, documents, text_of

STREAM = "/v1beta/models/gemini-test:streamGenerateContent?alt=sse"
ARRAY = "/v1beta/models/gemini-test:streamGenerateContent"
KEY = {"x-goog-api-key": "test-key"}

_LINGER_ZERO = struct.pack("ii", 1, 0)


class Ending(enum.Enum):
    """How the server ended an answer."""

    COMPLETE = "complete"  # as HTTP wants it: the last chunk, or all of Content-Length
    FIN = "fin"  # closed before that
    RST = "rst"  # reset before that


@attrs.frozen
class Answer:
    """One answer; ``chunks`` are those of the chunked coding, one for each write."""

    status: int
    headers: CIMultiDict[str]
    body: bytes
    ending: Ending
    chunks: tuple[bytes, ...] = ()

    @property
    def documents(self) -> list[Json]:
        """The response objects of an event stream or of a JSON array."""
        if self.is_array:
            array: list[Json] = json.loads(self.body)
            return array
        return documents(self.body)

    @property
    def is_array(self) -> bool:
        return self.headers["Content-Type"].startswith("application/json")

    @property
    def text(self) -> str:
        """The visible text, as a client reads it."""
        return text_of_documents(self.documents) if self.is_array else text_of(self.body)

    @property
    def thoughts(self) -> str:
        return text_of_documents(self.documents, thought=True)

    @property
    def finish_reasons(self) -> list[str]:
        return [
            candidate["finishReason"]
            for document in self.documents
            for candidate in document.get("candidates", [])
            if "finishReason" in candidate
        ]

    @property
    def response_ids(self) -> set[str]:
        return {document["responseId"] for document in self.documents if "responseId" in document}

    @property
    def error(self) -> Json:
        """The google.rpc error that a refused request is answered with."""
        error = upstream_error(self.body)
        assert error is not None, self.body
        return error


def text_of_documents(responses: list[Json], *, thought: bool = False) -> str:
    """Return the visible text of response objects, or their thoughts."""
    return "".join(
        part.get("text", "")
        for response in responses
        for candidate in response.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
        if bool(part.get("thought")) is thought
    )


@attrs.define(eq=False)
class Connection:
    """A connection to the proxy; nothing is read from it but what a method waits for."""

    socket: socket.socket
    host: str
    _buffer: bytearray = attrs.field(factory=bytearray)

    @classmethod
    async def open(cls, url: str, *, receive_buffer: int | None = None) -> Self:
        """Connect; ``receive_buffer`` limits what the kernel takes in unread (bytes)."""
        address = urlsplit(url)
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (address.hostname, address.port))
        return cls(connection, address.netloc)

    def close(self) -> None:
        """Leave with FIN, or with the RST that the kernel sends when bytes are unread."""
        self.socket.close()

    def reset(self) -> None:
        """Leave with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.socket.close()

    async def send(
        self,
        target: str = STREAM,
        body: bytes = BODY,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> None:
        """Write one request; ``headers`` replace the API key's."""
        fields = {"Host": self.host, "Content-Length": str(len(body)), **(headers or KEY)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()
        await asyncio.get_running_loop().sock_sendall(self.socket, head + body)

    async def ask(
        self,
        target: str = STREAM,
        body: bytes = BODY,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Answer:
        """Write one request and read its answer to the end."""
        await self.send(target, body, headers, method)
        return await self.answer()

    async def head(self) -> tuple[int, CIMultiDict[str]]:
        """Read the status and the headers."""
        line, *lines = (await self.until(b"\r\n\r\n")).decode().splitlines()[:-1]
        pairs = (line.partition(": ") for line in lines)
        return int(line.split(" ")[1]), CIMultiDict((name, value) for name, _, value in pairs)

    async def answer(self) -> Answer:
        """Read one answer to its end, whichever that is."""
        status, headers = await self.head()
        chunks: list[bytes] = []
        ending = Ending.COMPLETE
        try:
            if "Content-Length" in headers:
                chunks.append(await self.exactly(int(headers["Content-Length"])))
            else:
                while data := await self.chunk():
                    chunks.append(data)
        except (EOFError, ConnectionResetError) as error:
            ending = Ending.FIN if isinstance(error, EOFError) else Ending.RST
            assert not self._buffer, "the connection ended inside a chunk"
        return Answer(status, headers, b"".join(chunks), ending, tuple(chunks))

    async def chunk(self) -> bytes:
        """Read one chunk, empty for the last one."""
        size = int(await self.until(b"\r\n"), 16)
        return (await self.exactly(size + 2))[:-2]

    async def until(self, mark: bytes) -> bytes:
        """Read up to and including ``mark``; raise EOFError or ConnectionResetError."""
        while (found := self._buffer.find(mark)) < 0:
            await self._receive()
        return self._take(found + len(mark))

    async def exactly(self, size: int) -> bytes:
        """Read ``size`` bytes; raise EOFError or ConnectionResetError."""
        while len(self._buffer) < size:
            await self._receive()
        return self._take(size)

    @property
    def unread(self) -> bytes:
        """What has come and was not returned yet."""
        return bytes(self._buffer)

    def put_back(self, data: bytes) -> None:
        """Add ``data``, read from the socket elsewhere, behind what is unread."""
        self._buffer += data

    async def rest(self) -> bytes:
        """Read to the end of the connection."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            while True:
                await self._receive()
        return self._take(len(self._buffer))

    async def _receive(self) -> None:
        data = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 16)
        if not data:
            raise EOFError
        self._buffer += data

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


@contextlib.asynccontextmanager
async def connect(url: str, *, receive_buffer: int | None = None) -> AsyncIterator[Connection]:
    """Yield a connection; it is closed at the exit, unless it was already."""
    connection = await Connection.open(url, receive_buffer=receive_buffer)
    try:
        yield connection
    finally:
        connection.close()


def body_of(request: Mapping[str, Any] | str) -> bytes:
    """Return a request, or a prompt alone, as the bytes of a body."""
    if isinstance(request, str):
        request = {"contents": [{"role": "user", "parts": [{"text": request}]}]}
    return json.dumps(request).encode()
