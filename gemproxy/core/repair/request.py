"""The client's request, parsed only when a decision needs it.

The bytes are forwarded unchanged. The machine needs their content only after an interruption, so
the request of an undisturbed stream is never parsed. Google accepts both camelCase and snake_case,
and so does every look-up here.
"""

import functools
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import attrs

_HARMLESS_TOOLS = frozenset({"functiondeclarations"})
"""Tools that the client runs. All others, including future ones, may run at Google."""


_WINDOW = 1 << 16
_LONGEST = 16
_JSON = ("application/json", "application_json")
_ENUM = ("text/x.enum", "text_x_enum")


class Unreadable(ValueError):
    """The request body is not JSON that may be rebuilt."""


@attrs.frozen(slots=False)
class StreamRequest:
    """The body of one generate request; ``body`` is never changed."""

    body: bytes = attrs.field(repr=False)

    @functools.cached_property
    def document(self) -> dict[str, Any] | None:
        """The parsed body, or None if it cannot be rebuilt exactly."""
        try:
            return parse_strictly(self.body)
        except Unreadable:
            return None

    @property
    def contents(self) -> list[dict[str, Any]]:
        """The turns; a lone Content object counts as one turn, a bare string as a user turn."""
        return turns((self.document or {}).get("contents"))

    @property
    def config(self) -> dict[str, Any]:
        """The generationConfig, empty if there is none."""
        value = look_up(self.document or {}, "generationConfig")
        return value if isinstance(value, dict) else {}

    @property
    def wants_document(self) -> bool:
        """Whether the answer is one JSON document, by MIME type or by schema."""
        if self._wants_value:
            return False
        return self.schema is not None or any(mime in _JSON for mime in self._mime_types)

    @property
    def values(self) -> frozenset[str]:
        """The allowed values of the answer (``text/x.enum``); empty if it is free."""
        listed = (self.schema or {}).get("enum") if self._wants_value else None
        values = listed if isinstance(listed, list) else []
        return frozenset(value for value in values if isinstance(value, str))

    @property
    def _wants_value(self) -> bool:
        return any(mime in _ENUM for mime in self._mime_types)

    @property
    def _mime_types(self) -> list[object]:
        """The requested MIME types, without their parameters."""
        mimes = (
            look_up(self.config, "responseMimeType"),
            *(look_up(text, "mimeType") for text in self._text_formats),
        )
        return [mime.partition(";")[0].strip().lower() for mime in mimes if isinstance(mime, str)]

    @property
    def schema(self) -> dict[str, Any] | None:
        """The requested JSON Schema or OpenAPI schema, if any."""
        schemas = (
            look_up(self.config, "responseJsonSchema"),
            look_up(self.config, "responseSchema"),
            *(text.get("schema") for text in self._text_formats),
        )
        return next((schema for schema in schemas if isinstance(schema, dict)), None)

    @property
    def _text_formats(self) -> list[dict[str, Any]]:
        """The text entries of responseFormat, the newer way to ask for a document."""
        formats = look_up(self.config, "responseFormat")
        entries = formats if isinstance(formats, list) else [formats]
        texts = (entry.get("text") for entry in entries if isinstance(entry, dict))
        return [text for text in texts if isinstance(text, dict)]

    @property
    def continuation_token(self) -> object:
        """The continuationToken of a request that itself continues an answer, or None."""
        return look_up(self.document or {}, "continuationToken")

    @property
    def answers_a_call(self) -> bool:
        """Whether the last turn is a functionResponse; an empty STOP may then be right."""
        parts = _parts(self.contents[-1]) if self.contents else []
        return any(look_up(part, "functionResponse") is not None for part in parts)

    def says(self, phrase: str) -> bool:
        """Return whether the request contains ``phrase``, in any case."""
        return phrase.casefold() in json.dumps(self.document, ensure_ascii=False).casefold()

    @property
    def several(self) -> bool:
        """Whether the request asks for more than one candidate."""
        return self.candidates > 1

    @functools.cached_property
    def candidates(self) -> int:
        """The requested number of candidates; 1 if it cannot be read."""
        if not mentions(self.body, b'candidateCount"', b'candidate_count"'):
            return 1  # spares most requests the parser
        count = look_up(self.config, "candidateCount")
        counts = isinstance(count, int) and not isinstance(count, bool) and count > 0
        return count if counts else 1

    @functools.cached_property
    def server_tools(self) -> bool:
        """Whether Google's own tools may run, which pause a stream and end turns in between.

        They may be in a cachedContent, which is not visible here. An unreadable request may name
        any of them.
        """
        if not mentions(self.body, *_TOOL_MARKS):  # spares most requests the parser
            return False
        if self.document is None or look_up(self.document, "cachedContent"):
            return True
        tools = self.document.get("tools") or []
        return not all(map(_is_harmless, tools if isinstance(tools, list) else [tools]))


_TOOL_MARKS = (b'tools"', b'cachedContent"', b'cached_content"')


def _is_harmless(tool: object) -> bool:
    """Return whether an entry of ``tools`` names only functions of the client."""
    return isinstance(tool, dict) and {_plain(name) for name in tool} <= _HARMLESS_TOOLS


def mentions(body: bytes, *ends: bytes) -> bool:
    """Return whether a JSON text contains one of ``ends``, of up to 16 bytes with a quote last.

    A long stretch without quotes is one string, an image, and is skipped: searching a single
    character is fifty times faster than several.
    """
    start = 0
    while 0 <= start < len(body):
        window = body[start : start + _WINDOW]
        for end in ends:
            if end in window:  # any() would be two calls for each
                return True
        if start + _WINDOW >= len(body):
            return False
        quote = body.find(b'"', start + _WINDOW - _LONGEST)
        start = quote - _LONGEST if quote >= 0 else -1
    return False


def look_up(mapping: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON is any
    """Return the value under a camelCase ``name`` or its snake_case twin, else None."""
    value = mapping.get(name)
    return mapping.get(snake_case(name)) if value is None else value


def spelling(mapping: dict[str, Any], name: str) -> str:
    """Return the spelling of ``name`` in ``mapping``; camelCase if it has neither."""
    twin = snake_case(name)
    return twin if twin in mapping and mapping.get(name) is None else name


@functools.lru_cache
def snake_case(name: str) -> str:
    """``maxOutputTokens`` -> ``max_output_tokens``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def turns(contents: object) -> list[dict[str, Any]]:
    """Return ``contents`` as a list of turns, in the forms that Google's API accepts."""
    if isinstance(contents, str):
        return [{"role": "user", "parts": [{"text": contents}]}]
    if isinstance(contents, dict):
        return [contents]
    if isinstance(contents, list):
        return [turn for turn in contents if isinstance(turn, dict)]
    return []


def parse_strictly(body: bytes) -> dict[str, Any]:
    """Parse a JSON object that will be written again; raise Unreadable."""
    try:
        document = loads_strictly(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None
    if not isinstance(document, dict):
        raise Unreadable("not an object")
    return document


def loads_strictly(text: str) -> Any:  # noqa: ANN401 - JSON is any
    """Decode unambiguous JSON; raise Unreadable.

    Another reader could understand these differently, so they are refused: duplicate keys, NaN and
    Infinity, and nesting or numbers that Python cannot read.
    """
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError) as exc:
        raise Unreadable(type(exc).__name__) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("duplicate key")
    return mapping


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(number)
    return value


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)


def _parts(turn: dict[str, Any]) -> list[dict[str, Any]]:
    parts = turn.get("parts")
    if isinstance(parts, dict):
        parts = [parts]
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


_MASK_SIGN = re.compile(r"[(),]|[^(),/.\s]+")
_FINISH_PATH = ("candidates", "finishreason")


def hides_the_end(field_mask: str) -> bool:
    """Return whether a partial-response mask omits finishReason, without which a drop
    looks like an end. Masks: ``a,b/c`` and ``a(b,c)``, as in Google's ``fields``,
    and ``a.b``, as in X-Goog-FieldMask.
    """  # noqa: D205 - one sentence
    paths = list(_mask_paths(field_mask))
    return bool(paths) and not any(map(_shows_finish, paths))


def _mask_paths(field_mask: str) -> Iterator[tuple[str, ...]]:
    """Yield the paths in a mask, without its brackets."""
    groups: list[tuple[str, ...]] = [()]
    path = groups[-1]
    for sign in [*_MASK_SIGN.findall(field_mask), ","]:
        if sign == "(":
            groups.append(path)
        elif sign not in (",", ")"):
            path = (*path, _plain(sign))
        else:
            if path != groups[-1]:
                yield path
            if sign == ")" and len(groups) > 1:
                groups.pop()
            path = groups[-1]


def _shows_finish(path: tuple[str, ...]) -> bool:
    pairs = zip(path, _FINISH_PATH, strict=False)
    return all(name in ("*", wanted) for name, wanted in pairs)
