"""One choice of a stream: what goes out of the repair in, the bytes of its chunks out.

Nearly every event is plain text. A run of such events becomes chunks without any object for each
of them: the texts were decoded with the run, a chunk differs from the next one in its text only,
and so the JSON of the texts is joined with constant bytes. All other frames go through ``choice``,
delta by delta. Both ways give the same bytes.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from gemproxy.core.answer.rewrite import dump
from gemproxy.core.repair.events import Out, Run
from gemproxy.core.wire.frame import Data, Frame
from gemproxy.openai import logprobs
from gemproxy.openai.answer import Answer
from gemproxy.openai.choice import Choice

Json = dict[str, Any]

_KIND = "chat.completion.chunk"
_SEPARATORS = {"\u0085": b"\\u0085", "\u2028": b"\\u2028", "\u2029": b"\\u2029"}
_ESCAPES = [(mark.encode(), escape) for mark, escape in _SEPARATORS.items()]
"""Line separators at which old SDKs split, and their escapes in JSON."""

_DONE = b"data: [DONE]\n\n"

_json = msgspec.json.Encoder().encode


@attrs.define
class Chunks:
    """The chunks of one choice, which ``choice`` translates."""

    choice: Choice
    _head: bytes = b""
    _between: bytes = b""
    _tail: bytes = b""

    @property
    def answer(self) -> Answer:
        """The answer that the choice belongs to."""
        return self.choice.answer

    def take(self, out: Out) -> bytes:
        """Return the chunks of what goes out."""
        if isinstance(out, Run):
            texts = self.choice.plain(out)
            return self._joined(texts) if texts else self._read(out)
        return b"".join([self._frame(frame.data) for frame in out.frames])

    def end(self, tail: Frame | None = None) -> bytes:
        """Return the last chunks of the choice, those of the upstream's own ``tail`` among them.

        The last choice of the answer ends the stream, with the usage if that was asked for. Raises
        Unrepaired for an answer that did not end properly.
        """
        choice, answer = self.choice, self.answer
        said = b"" if tail is None else self._frame(tail.data)
        ending = choice.ending()
        deltas = b"".join(map(self._chunk, choice.end()))
        last = self._chunk({}, ending.reason, ending.native, choice.logprobs())
        over = answer.end(choice.index, choice.usage)
        return said + deltas + last + (self._end_of_stream() if over else b"")

    def _joined(self, texts: Sequence[str]) -> bytes:
        """Return the chunks of these texts; the answer has begun."""
        if not self._head:
            self._begin()
        chunks = self._head + self._between.join(map(_json, texts)) + self._tail
        return chunks if chunks.isascii() else _escaped(chunks)

    def _read(self, run: Run) -> bytes:
        """Return the chunks of a run whose frames must be read, or only the first of a stream."""
        if self.choice.fresh and run.count > 1:
            first, rest = run.divided()
            return self._frame(first.data) + self.take(rest)
        return b"".join([self._frame(frame.data) for frame in run.frames()])

    def _frame(self, data: Data | None) -> bytes:
        """Return the chunks of one frame; one without data says nothing."""
        deltas = self.choice.take(data) if data is not None else []
        if not deltas:
            return b""
        first = self._chunk(deltas[0], tokens=self.choice.logprobs())
        chunks = b"".join([first, *map(self._chunk, deltas[1:])])
        pieces = self.answer.filled(chunks)
        return chunks if len(pieces) == 1 else b"".join(pieces)

    def _begin(self) -> None:
        """Make what all chunks with text have in common, now that the answer has its id."""
        before, after = self._chunk({"content": "\0"}).rsplit(b'"\\u0000"', 1)
        self._head, self._between, self._tail = before, after + before, after

    def _chunk(
        self,
        delta: Json,
        reason: str | None = None,
        native: str | None = None,
        tokens: list[Json] | None = None,
    ) -> bytes:
        choice: Json = {
            "index": self.choice.index,
            "delta": delta,
            "logprobs": logprobs.told(tokens or []),
            "finish_reason": reason,
        }
        if native is not None:
            choice["native_finish_reason"] = native
        return self._object([choice], None)

    def _object(self, choices: list[Json], usage: Json | None) -> bytes:
        chunk = {**self.answer.head(_KIND), "choices": choices}
        if self.answer.telling.include_usage:
            chunk["usage"] = usage
        return b"data: " + _written(chunk) + b"\n\n"

    def _end_of_stream(self) -> bytes:
        if not self.answer.telling.include_usage:
            return _DONE
        return self._object([], self.answer.usage()) + _DONE


def _written(chunk: Json) -> bytes:
    """Return the JSON of a chunk, spelled like ``dump``, which takes several times as long."""
    try:
        written = _json(chunk)
    except UnicodeEncodeError:  # half a character
        return dump(chunk)
    return written if written.isascii() else _escaped(written)


def _escaped(encoded: bytes) -> bytes:
    for mark, escape in _ESCAPES:
        encoded = encoded.replace(mark, escape)
    return encoded
