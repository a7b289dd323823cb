"""A client that sees the bytes: what came off the socket, and whether it was reset."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

STREAM = "/v1/models/gemini-test:streamGenerateContent?alt=sse"
HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


@attrs.frozen
class Seen:
    """What one request brought: the raw response, and how the connection ended."""

    raw: bytes
    reset: bool

    @property
    def status(self) -> int:
        return int(self.raw.split(b" ", 2)[1])

    @property
    def head(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[0].decode()

    @property
    def body(self) -> bytes:
        rest = self.raw.partition(b"\r\n\r\n")[2]
        return dechunked(rest) if "Transfer-Encoding: chunked" in self.head else rest

    @property
    def terminated(self) -> bool:
        return self.raw.endswith(b"0\r\n\r\n")

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(event[6:]) for event in self.body.split(b"\r\n\r\n") if event]

    @property
    def text(self) -> str:
        return text_of(self.documents)


def dechunked(data: bytes) -> bytes:
    """Join the chunks, as far as there are any."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        with contextlib.suppress(ValueError):
            body += data[: int(size, 16)]
            data = data[int(size, 16) + 2 :]
    return body


def text_of(documents: list[dict[str, Any]]) -> str:
    """Join the visible text of candidate 0."""
    return "".join(
        part.get("text", "")
        for document in documents
        for candidate in document.get("candidates", [])
        if candidate.get("index", 0) == 0
        for part in candidate["content"].get("parts", [])
        if not part.get("thought")
    )


def request_bytes(
    target: str,
    document: object,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    key: str | None = "test-key",
) -> bytes:
    """Return a request as bytes; ``document`` may be a body already."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    fields = {"Host": "test", "Content-Length": str(len(body)), **(headers or {})}
    if key is not None:
        fields["x-goog-api-key"] = key
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def ask(
    url: str,
    document: object = HELLO,
    *,
    target: str = STREAM,
    method: str = "POST",
    key: str | None = "test-key",
) -> Seen:
    """Send one request on a connection of its own and read until it ends."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    raw, reset = b"", False
    try:
        close = {"Connection": "close"}
        writer.write(request_bytes(target, document, close, method=method, key=key))
        while data := await reader.read(65536):
            raw += data
    except ConnectionResetError:
        reset = True
    finally:
        await leave(writer)
    return Seen(raw, reset)


async def leave(writer: asyncio.StreamWriter) -> None:
    """Close a connection that may be broken."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def continuation(held: str, notice: str = "Please go on.") -> dict[str, Any]:
    """Return HELLO with the beginning of its answer behind it."""
    model = {"role": "model", "parts": [{"text": held}]}
    user = {"role": "user", "parts": [{"text": notice}]}
    return {"contents": [*HELLO["contents"], model, user]}
