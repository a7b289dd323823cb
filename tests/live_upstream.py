"""A Live server for tests: scripted sockets, refused handshakes, and a small fake Gemini.

The fake answers ``setup``, echoes turns of text as two parts and a turnComplete, and echoes
realtime audio as inlineData in a binary frame, as Gemini sends its JSON. A text that begins
with "close:" makes it close with the code that follows, and "drop" makes it reset.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import attrs
from aiohttp import WSMsgType, web

from tests.running import PATIENCE

LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
"""The headers of a handshake made by hand; the key is the one of RFC 6455."""

Socket = web.WebSocketResponse
Script = Callable[[Socket, web.Request], Awaitable[None]]
Close = tuple[int | None, str | None]

_ENDS = {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}


@attrs.define(eq=False)
class LiveUpstream:
    """The server; ``seen`` are the handshakes as they came, accepted or not."""

    script: Script
    refuse: Callable[[], web.Response | None]
    protocols: Iterable[str]
    compress: bool
    autoping: bool
    url: str = ""
    seen: list[web.Request] = attrs.field(factory=list)
    _closes: asyncio.Queue[Close] = attrs.field(factory=asyncio.Queue)

    async def closed(self) -> Close:
        """Return the code and reason of the next close; (1006, None) for an end without one."""
        async with asyncio.timeout(PATIENCE):
            return await self._closes.get()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Refuse the handshake, or run the script and then read to the end."""
        self.seen.append(request)
        refusal = self.refuse()
        if refusal is not None:
            return refusal
        socket = web.WebSocketResponse(
            protocols=self.protocols,
            compress=self.compress,
            autoping=self.autoping,
            max_msg_size=0,
        )
        await socket.prepare(request)
        with contextlib.suppress(ConnectionError):
            await self.script(socket, request)
        self._closes.put_nowait(await _end_of(socket))
        return socket


async def _end_of(socket: Socket) -> Close:
    while True:
        message = await socket.receive()
        if message.type is WSMsgType.CLOSE:
            return message.data, message.extra
        if message.type in _ENDS:
            return socket.close_code if message.type is WSMsgType.CLOSED else 1006, None


@contextlib.asynccontextmanager
async def live_upstream(
    script: Script,
    *,
    refusal: Callable[[], web.Response | None] = lambda: None,
    protocols: Iterable[str] = (),
    compress: bool = True,
    autoping: bool = True,
) -> AsyncIterator[LiveUpstream]:
    """Serve ``script`` for each socket; an answer that ``refusal`` returns refuses it.

    With ``autoping`` off the script answers pings itself, and receives the pongs.
    """
    upstream = LiveUpstream(script, refusal, protocols, compress, autoping)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", upstream.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        upstream.url = f"http://127.0.0.1:{site.port}"
        yield upstream
    finally:
        await runner.cleanup()


async def silent(_socket: Socket, _request: web.Request) -> None:
    """Say nothing."""


async def echo(socket: Socket, _request: web.Request) -> None:
    """Send each message back as it came."""
    async for message in socket:
        await socket.send_frame(_bytes(message.data), message.type)


async def gemini(socket: Socket, request: web.Request) -> None:
    """Be the fake Gemini that the module's docstring tells of."""
    async for message in socket:
        document = json.loads(message.data)
        said = _text_of(document)
        if said.startswith("close:"):
            await socket.close(code=int(said.removeprefix("close:")), message=b"as asked for")
        elif said == "drop" and request.transport is not None:
            request.transport.abort()
        else:
            for answer in _answers(document):
                await socket.send_bytes(json.dumps(answer).encode())


def _answers(document: dict[str, Any]) -> list[dict[str, Any]]:
    if "setup" in document:
        return [{"setupComplete": {}}]
    audio = _audio_of(document)
    if audio is not None:
        return [_content({"inlineData": audio}), _COMPLETE]
    said = _text_of(document)
    half = len(said) // 2
    return [_content({"text": said[:half]}), _content({"text": said[half:]}), _COMPLETE]


_COMPLETE = {"serverContent": {"turnComplete": True}}


def _content(part: dict[str, Any]) -> dict[str, Any]:
    return {"serverContent": {"modelTurn": {"role": "model", "parts": [part]}}}


def _text_of(document: dict[str, Any]) -> str:
    content = document.get("clientContent", document.get("client_content", {}))  # google-genai's
    turns = content.get("turns", [])
    return "".join(part.get("text", "") for turn in turns for part in turn.get("parts", []))


def _audio_of(document: dict[str, Any]) -> dict[str, Any] | None:
    realtime = document.get("realtimeInput", document.get("realtime_input", {}))
    chunks = realtime.get("mediaChunks", realtime.get("media_chunks", []))
    audio: dict[str, Any] | None = realtime.get("audio") or (chunks[0] if chunks else None)
    return audio


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
