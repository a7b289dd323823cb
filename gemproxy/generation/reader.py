"""Where the frames of a generation go: to whoever reads them.

A generation knows no client. It gives frames to one ``Reader``, in order, from one writer: the
client's own connection (``connection``), or what makes one response of them (``collecting``).
"""

from collections.abc import Mapping
from typing import Any, Protocol

from gemproxy.core.repair.events import Out
from gemproxy.core.wire.frame import Frame


class Reader(Protocol):
    """Takes the frames of one answer.

    All methods raise ClientGone once nobody reads any more.
    """

    @property
    def content_type(self) -> str:
        """The type of what the frames become, where it is not the upstream's own."""

    @property
    def committed(self) -> bool:
        """Whether the head of the answer is out, so that its status stands."""

    @property
    def sent(self) -> int:
        """The bytes of the frames that were passed on."""

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Commit the head of the answer."""

    async def offer(self, out: tuple[Out, ...]) -> bool:
        """Take frames without waiting; False when ``settle`` is due before the next ones."""

    async def settle(self) -> None:
        """Pass on what was taken; wait while the reader is slow."""

    async def heartbeat(self) -> None:
        """Show between two frames that the answer is still alive, where that is tolerated."""

    async def finish(self, out: tuple[Out, ...], tail: Frame | None) -> None:
        """End the answer as a complete one: its last frames, and the upstream's own end."""

    async def pass_on(self, body: bytes) -> None:
        """End the answer with a body that is no generation, as it came; no frame went before."""

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """End the answer so that every reader notices: with a google.rpc error body, or None.

        None cuts the answer without a word, for a client that goes on by itself.
        """
