"""Messages of an OpenAI request, as contents of a Gemini request.

    system, developer     in front: texts for the systemInstruction. Later ones stay at their place
                          as the user's text, because moving them changes the prefix that Gemini
                          caches (litellm#42126)
    user                  its parts. If several names speak, each message begins with its name
    assistant             its text or refusal, its pictures and its calls. What it thought
                          (``reasoning_content``) is not sent, and neither is the id of a sound
    tool, function        the result of a call, see ``history``

A call has the thoughtSignature that the client kept in ``extra_content``, else the one in its id.
The first call of a turn without any has Google's placeholder for history that is not the model's
own (https://ai.google.dev/gemini-api/docs/thought-signatures), where the family checks it.

Models that draw want a signature on their own pictures, too: that of the entry of ``images``, else
the one that is remembered for the picture. A picture of the model's whose signature is not known is
shown to it by the user instead. Models without tools read of the calls in a history, and of their
results, as text.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping

import attrs

from gemproxy.core.errors import BadField
from gemproxy.openai.arguments import arguments
from gemproxy.openai.callid import apart
from gemproxy.openai.content import Reading, one, parts_of
from gemproxy.openai.fields import Json, a_list, a_text, an_object
from gemproxy.openai.history import Call, History, Result, Turn
from gemproxy.openai.media import Files
from gemproxy.openai.results import answered, told
from gemproxy.openai.signatures import PLACEHOLDER, signature_of, usable
from gemproxy.shaping.family import Family

_NAMELESS = "tool"


@attrs.frozen
class Context:
    """What a translation of messages needs to know besides them.

    ``up`` gives Gemini's name of a function; the others are those of the request's ``Ways``.
    """

    family: Family
    up: Callable[[str], str]
    files: Files
    signatures: Callable[[bytes], str | None] = attrs.field(repr=False)


@attrs.frozen
class Spoken:
    """What was said: the texts in front of the conversation, and the conversation."""

    system: list[str]
    contents: list[Json]


def spoken(messages: object, context: Context) -> Spoken:
    """Return what ``messages`` say; raise BadField for what cannot be translated.

    The contents may begin and end with the model, and there may be none.
    """
    given = a_list(messages, "messages")
    if not given:
        raise BadField("messages", "must not be empty")
    reader = _Reader(context, several=_speakers(given) > 1)
    for number, message in enumerate(given):
        reader.read(an_object(message, f"messages[{number}]"), f"messages[{number}]")
    return Spoken(reader.system, list(_contents(reader.history, context)))


def called(messages: object) -> Iterator[str]:
    """Yield the client's names of the functions in a history."""
    for number, message in enumerate(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "assistant":
            yield from (entry.name for entry in _entries(message, f"messages[{number}]"))


@attrs.define
class _Reader:
    """Reads message after message."""

    context: Context
    several: bool
    system: list[str] = attrs.field(factory=list)
    history: History = attrs.field(factory=History)
    begun: bool = False

    def read(self, message: Json, at: str) -> None:
        """Read one message at the path ``at``; raise BadField."""
        role = message.get("role")
        read = _ROLES.get(role) if isinstance(role, str) else None
        if read is None:
            raise BadField(f"{at}.role", f"must be one of {', '.join(_ROLES)}")
        read(self, message, at)
        self.begun = self.begun or read is not _Reader.instruct

    def instruct(self, message: Json, at: str) -> None:
        """Read what the system or the developer says."""
        parts = self._content(message, at)
        if any("text" not in part for part in parts):
            raise BadField(f"{at}.content", "may have text only in this role")
        if self.begun:
            self.history.say(parts)
        else:
            self.system += [part["text"] for part in parts]

    def ask(self, message: Json, at: str) -> None:
        """Read what the user says."""
        parts = self._content(message, at)
        first = next((part for part in parts if "text" in part), None)
        if self.several and first is not None and message.get("name"):
            first["text"] = f"{message['name']}: {first['text']}"
        self.history.say(parts)

    def _content(self, message: Json, at: str) -> list[Json]:
        """Return the parts of a message that must have a content."""
        content = message.get("content")
        if content == []:
            raise BadField(f"{at}.content", "must not be empty")
        return parts_of(content, f"{at}.content", Reading(self.context.files))

    def _past(self, content: object, at: str) -> list[Json]:
        reading = Reading(self.context.files, past=True)
        return [] if content is None else parts_of(content, at, reading)

    def assist(self, message: Json, at: str) -> None:
        """Read what the model said and called."""
        parts = self._past(message.get("content"), f"{at}.content")
        parts += self._past(message.get("refusal"), f"{at}.refusal")
        if not parts and isinstance(audio := message.get("audio"), dict):
            parts = self._past(audio.get("transcript"), f"{at}.audio.transcript")
        self._add_pictures(message.get("images"), f"{at}.images", parts)
        own, shown = self._own(parts)
        texts = [part for part in own if "text" in part]
        signature = signature_of(message)
        if texts and signature is not None:
            texts[-1]["thoughtSignature"] = signature
        calls = [
            Call(entry.name, entry.own, arguments(entry.arguments), entry.signature)
            for entry in _entries(message, at)
        ]
        self.history.speak(own, shown, calls)

    def _add_pictures(self, given: object, at: str, parts: list[Json]) -> None:
        """Add the pictures beside a text; clients send those of a Markdown text twice."""
        reading = Reading(self.context.files, past=True)
        for number, entry in enumerate([] if given is None else a_list(given, at)):
            for part in one(entry, f"{at}[{number}]", reading):
                same = next((other for other in parts if part.items() <= other.items()), part)
                if same is part:
                    parts.append(part)
                signature = signature_of(entry) if isinstance(entry, dict) else None
                if signature is not None:
                    same["thoughtSignature"] = signature

    def _own(self, parts: list[Json]) -> tuple[list[Json], list[Json]]:
        """Return the parts that are the model's, and those that the user shows it."""
        own: list[Json] = []
        shown: list[Json] = []
        for part in parts:
            signature = part.get("thoughtSignature")
            if signature is None and "inlineData" in part:
                data = base64.b64decode(part["inlineData"]["data"])
                signature = self.context.signatures(data)
            if signature is not None:
                own.append({**part, "thoughtSignature": signature})
            else:
                (own if "text" in part else shown).append(part)
        return own, shown

    def answer(self, message: Json, at: str) -> None:
        """Read the result of a call."""
        content = message.get("content")
        if isinstance(content, dict):
            result = Result([], content)
        elif isinstance(content, int | float):
            result = Result([{"text": json.dumps(content)}])
        else:
            result = Result(self._past(content, f"{at}.content"))
        given = message.get("tool_call_id")
        call_id = None if given is None else apart(a_text(given, f"{at}.tool_call_id"))[0]
        name = message.get("name")
        name = name if isinstance(name, str) and name else None
        if not self.history.answer(call_id, name, result):
            self.history.say(told(name, result))


_ROLES: Mapping[str, Callable[[_Reader, Json, str], None]] = {
    "system": _Reader.instruct,
    "developer": _Reader.instruct,
    "user": _Reader.ask,
    "assistant": _Reader.assist,
    "tool": _Reader.answer,
    "function": _Reader.answer,
}


@attrs.frozen
class _Entry:
    """A call as a message has it: its name, its arguments, and what it is known by."""

    name: str
    arguments: object
    own: str | None
    signature: str | None

    @classmethod
    def of(cls, inner: Json, own: str | None, signature: str | None) -> "_Entry":
        name = inner.get("name")
        name = name if isinstance(name, str) and name else _NAMELESS
        return cls(name, inner.get("arguments"), own, signature)


def _entries(message: Json, at: str) -> Iterator[_Entry]:
    """Yield the calls of an assistant's message, in either form."""
    given = message.get("tool_calls")
    for number, entry in enumerate([] if given is None else a_list(given, f"{at}.tool_calls")):
        yield _entry(an_object(entry, f"{at}.tool_calls[{number}]"), f"{at}.tool_calls[{number}]")
    legacy = message.get("function_call")
    if legacy is not None:
        yield _Entry.of(an_object(legacy, f"{at}.function_call"), None, signature_of(legacy))


def _entry(given: Json, at: str) -> _Entry:
    call_id = given.get("id")
    own, carried = (None, None) if not call_id else apart(a_text(call_id, f"{at}.id"))
    custom = given.get("custom")
    if isinstance(custom, dict):
        inner = {**custom, "arguments": {"input": custom.get("input")}}
    else:
        inner = an_object(given.get("function"), f"{at}.function")
    return _Entry.of(inner, own, signature_of(given) or usable(carried))


def _speakers(messages: list[object]) -> int:
    """Return how many names the users of a conversation have."""
    users = [one for one in messages if isinstance(one, dict) and one.get("role") == "user"]
    return len({name for one in users if isinstance(name := one.get("name"), str) and name})


def _contents(history: History, context: Context) -> Iterator[Json]:
    model: Json | None = None
    for turn in history.turns:
        own = [*_signed(turn, context), *_calls_of(turn, context)]
        if own and model is not None:
            model["parts"] += own
        elif own:
            model = {"role": "model", "parts": own}
            yield model
        behind = list(_behind(turn, context))
        yield from behind
        if behind:
            model = None


def _behind(turn: Turn, context: Context) -> Iterator[Json]:
    """Yield the contents of the user's behind a turn: the results, and what the user said."""
    shown = list(turn.shown)
    if turn.calls and context.family.tools:
        results = answered(turn.calls, context.up, context.family)
        yield results.content
        shown += results.shown
    elif turn.calls:
        given = [(call.name, result) for call in turn.calls for result in call.results]
        shown += [part for name, result in given for part in told(name, result)]
    if shown or turn.said:
        yield {"role": "user", "parts": shown + turn.said}


def _signed(turn: Turn, context: Context) -> list[Json]:
    """Return what the model said; models that draw check what has no signature at all."""
    checks = context.family.draws and context.family.signs_calls
    if not checks or not turn.parts or any("thoughtSignature" in part for part in turn.parts):
        return turn.parts
    return [{**turn.parts[0], "thoughtSignature": PLACEHOLDER}, *turn.parts[1:]]


def _calls_of(turn: Turn, context: Context) -> Iterator[Json]:
    """Yield the parts of a turn's calls; a model that takes no tools reads of them."""
    for number, call in enumerate(turn.calls):
        if not context.family.tools:
            yield {"text": f"[Called the tool {call.name}: {json.dumps(call.args)}]"}
            continue
        function: Json = {"name": context.up(call.name), "args": call.args}
        part: Json = {"functionCall": function if call.id is None else {"id": call.id, **function}}
        signature = call.signature
        if signature is None and number == 0 and context.family.signs_calls:
            signature = PLACEHOLDER
        if signature is not None:
            part["thoughtSignature"] = signature
        yield part
