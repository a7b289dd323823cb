"""The client's own connection as the reader of a generation.

The client's voice turns frames into its bytes. They go to the transport in the call that brings
the frames, as long as that cannot wait for the client.
"""

from collections.abc import Mapping
from typing import Any

import attrs
from aiohttp import web

from gemproxy.core.repair.events import Out
from gemproxy.core.wire.frame import Frame
from gemproxy.relay.downstream import ClientSink, client_sink
from gemproxy.voices.voice import Voice


@attrs.define(eq=False)
class ConnectionReader:
    """The reader that is a client's connection; see ``Reader``.

    ``committed`` is an attribute because it is looked at often.
    """

    sink: ClientSink
    _voice: Voice
    committed: bool = attrs.field(default=False, init=False)

    @property
    def response(self) -> web.StreamResponse:
        """What the handler returns."""
        return self.sink.response

    @property
    def content_type(self) -> str:
        """The type of what the voice says."""
        return self._voice.content_type

    @property
    def sent(self) -> int:
        """The bytes of the frames that were passed on."""
        return self.sink.sent

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of the answer."""
        await self.sink.open(status, headers)
        self.committed = True

    async def offer(self, out: tuple[Out, ...]) -> bool:
        """Write frames at once, unless the write could wait for the client."""
        return await self.sink.offer(self._voice.say(out))

    async def settle(self) -> None:
        """Write what ``offer`` kept; wait while the client is slow."""
        await self.sink.settle()

    async def heartbeat(self) -> None:
        """Write what the client's SDK skips between two frames; nothing where it skips none."""
        await self.sink.heartbeat()

    async def finish(self, out: tuple[Out, ...], tail: Frame | None) -> None:
        """Complete the body; its last frames and its end are one write."""
        await self.sink.finish(self._voice.say(out) + self._voice.close(tail))

    async def pass_on(self, body: bytes) -> None:
        """Write an answer that is no generation, and complete the body."""
        await self.sink.finish(body)

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """Write the error, if there is one, and have the body end without its end."""
        await self.sink.fail(payload)


def connection_reader(
    request: web.BaseRequest, voice: Voice, *, send_timeout: float
) -> ConnectionReader:
    """Return the reader that is the connection of ``request``, whose client has this voice.

    ``send_timeout`` counts seconds that one write may wait for the client to read.
    """
    sink = client_sink(request, voice, voice.content_type, send_timeout=send_timeout)
    return ConnectionReader(sink, voice)
