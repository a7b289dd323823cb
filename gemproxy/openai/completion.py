"""A whole answer: the deltas of its choices, joined to one ``chat.completion``.

The translator is that of the stream, so both ways of asking give the same. Texts are joined, lists
grow, and what stands for the whole message replaces what came before. ``content`` is a string, for
clients that strip it, and null only beside calls.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from gemproxy.core.answer.rewrite import dump
from gemproxy.core.repair.events import Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.openai import logprobs, sound
from gemproxy.openai.answer import Answer
from gemproxy.openai.choice import Choice

Json = dict[str, Any]

_TEXTS = ("content", "reasoning_content")
_LISTS = ("tool_calls", "images", "files")


@attrs.define
class Message:
    """Collects one choice, which ``choice`` translates."""

    choice: Choice
    _texts: dict[str, list[str]] = attrs.field(factory=dict, repr=False)
    _lists: dict[str, list[Json]] = attrs.field(factory=dict, repr=False)
    _sound: list[Json] = attrs.field(factory=list, repr=False)
    _rest: Json = attrs.field(factory=dict, repr=False)
    _tokens: list[Json] = attrs.field(factory=list, repr=False)

    @classmethod
    def of(cls, answer: Answer, choice: int = 0) -> "Message":
        """Return what collects one choice of an answer."""
        return cls(Choice(answer, choice))

    def take(self, out: Iterable[Out]) -> None:
        """Take what goes out."""
        for one in out:
            if isinstance(one, Run):
                self._run(one)
            else:
                self._frames(one.frames)

    def _run(self, run: Run) -> None:
        texts = self.choice.plain(run)
        if texts:
            self._texts.setdefault("content", []).extend(texts)
        else:
            self._frames(run.frames())

    def _frames(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if frame.data is not None:
                self._add(self.choice.take(frame.data))
                self._tokens += self.choice.logprobs()

    def end(self, tail: Frame | None = None) -> bool:
        """Take the end of a complete answer; return whether all choices have ended now.

        Raises Unrepaired for an answer that did not end properly.
        """
        self._frames(() if tail is None else (tail,))
        self.choice.ending()
        self._add(self.choice.end())
        return self.choice.answer.end(self.choice.index, self.choice.usage)

    def _add(self, deltas: Iterable[Json]) -> None:
        for delta in deltas:
            for name, value in delta.items():
                if name in _TEXTS:
                    self._texts.setdefault(name, []).append(value or "")
                elif name in _LISTS:
                    self._lists.setdefault(name, []).extend(value)
                elif name == "audio":
                    self._sound.append(value)
                else:
                    self._rest[name] = value

    def told(self) -> Json:
        """Return the choice; it has ended."""
        ending = self.choice.ending()
        return {
            "index": self.choice.index,
            "message": self._message(),
            "logprobs": logprobs.told(self._tokens),
            "finish_reason": ending.reason,
            "native_finish_reason": ending.native,
        }

    def _message(self) -> Json:
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        calls = self._lists.pop("tool_calls", [])
        content = texts.pop("content", "")
        called = bool(calls) or "function_call" in self._rest
        message: Json = {
            "role": "assistant",
            "content": content or (None if called else ""),
            "refusal": self._rest.get("refusal"),
            **texts,
            **{
                name: value for name, value in self._rest.items() if name not in ("role", "refusal")
            },
            **self._lists,
        }
        if calls:
            message["tool_calls"] = [
                {name: value for name, value in call.items() if name != "index"} for call in calls
            ]
        if self._sound:
            message["audio"] = sound.joined(self._sound)
        return message


def completion(answer: Answer, messages: Iterable[Message]) -> Sequence[bytes | memoryview]:
    """Return the pieces of the JSON of an answer, all of whose choices have ended."""
    head = answer.head("chat.completion")
    choices = [message.told() for message in messages]
    return answer.filled(dump({**head, "choices": choices, "usage": answer.usage()}))
