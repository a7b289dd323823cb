"""The voice of OpenAI's clients that read a stream of chat chunks.

A stream that failed ends with
an error event and no ``[DONE]``, and the connection is cut behind it: openai-python and openai-node
raise the error, and clients that do not look at it notice the cut.
"""

from typing import ClassVar

import attrs

from gemproxy.core.repair.events import Out
from gemproxy.core.wire.frame import Frame
from gemproxy.openai import words
from gemproxy.openai.answer import Answer
from gemproxy.openai.choice import Choice
from gemproxy.openai.chunks import Chunks
from gemproxy.voices.voice import Payload


@attrs.define(eq=False)
class OpenAIVoice:
    """Speaks to one client, of one choice of its answer; see ``Voice``.

    The voices of all choices of an answer share its ``Answer``. Their bytes may be mixed in any
    order, event by event; the one that is closed last ends the stream.
    """

    name: ClassVar[str] = "openai-chat"
    content_type: ClassVar[str] = "text/event-stream"
    _chunks: Chunks

    @classmethod
    def of(cls, answer: Answer, choice: int = 0) -> "OpenAIVoice":
        """Return the voice for one choice of an answer."""
        return cls(Chunks(Choice(answer, choice)))

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the chunks of some frames."""
        if len(out) == 1:
            return self._chunks.take(out[0])
        return b"".join(map(self._chunks.take, out))

    def close(self, tail: Frame | None) -> bytes:
        """Return the last chunks of the choice, and the end of the stream if it is the last one.

        Raises Unrepaired for an answer that did not end properly.
        """
        return self._chunks.end(tail)

    def heartbeat(self) -> bytes:
        """Return an SSE comment."""
        return words.HEARTBEAT

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error as an event, or nothing within one."""
        return words.last_words(payload, tail)

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer."""
        return words.body(payload)
