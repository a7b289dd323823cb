"""The results of one turn's calls, as one content of functionResponse parts in call order.

A response must be an object: JSON that is one goes as it is, anything else is ``{"result": text}``.
Gemini reads a ``$ref`` in a response as a reference to a picture and refuses it (vercel/ai#14369),
so JSON with one goes as text. A call without a result has an error as its response.

Pictures of results are parts of the functionResponse from Gemini 3 on, as far as Gemini takes their
type there (https://ai.google.dev/gemini-api/docs/function-calling#multimodal). Before Gemini 3 they
stand beside it in the same content. Other media are shown by the user behind the results, because
3.8-flash takes a text behind a functionResponse in one content for a turn of the model's.
"""

import json
import math
from collections.abc import Callable, Iterable

import attrs

from gemproxy.openai.arguments import inside, shallow
from gemproxy.openai.fields import Json
from gemproxy.openai.history import Call, Result
from gemproxy.shaping.family import Family

WITHOUT = {"error": "No result was given for this call."}
"""The response of a call that the client's history has no result for."""

_IN_RESULTS = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})
_REFERENCE = "$ref"


@attrs.frozen
class Answered:
    """The content with the results, and the parts that the user shows behind it."""

    content: Json
    shown: list[Json]


def answered(calls: Iterable[Call], up: Callable[[str], str], family: Family) -> Answered:
    """Return the results of a turn's calls; ``up`` gives Gemini's names of functions."""
    parts: list[Json] = []
    shown: list[Json] = []
    for call in calls:
        response: Json = {"name": up(call.name), "response": _response(call.results)}
        if call.id is not None:
            response = {"id": call.id, **response}
        parts.append({"functionResponse": response})
        media = [part for result in call.results for part in result.parts if "text" not in part]
        if not family.pictures_in_results:
            parts += media
            continue
        within = [part for part in media if _fits(part)]
        if within:
            response["parts"] = within
        shown += [part for part in media if not _fits(part)]
    return Answered({"role": "user", "parts": parts}, shown)


def told(name: str | None, result: Result) -> list[Json]:
    """Return a result whose call is not there, as parts of the user's."""
    head = {"text": f"[Result of the tool {name}]" if name else "[Result of a tool]"}
    if result.value is not None:
        return [head, {"text": json.dumps(result.value, ensure_ascii=False)}]
    return [head, *result.parts]


def _fits(part: Json) -> bool:
    return part.get("inlineData", {}).get("mimeType") in _IN_RESULTS


def _response(results: list[Result]) -> Json:
    if not results:
        return dict(WITHOUT)
    values = [_value(result) for result in results]
    if len(values) > 1:
        return {"result": values}
    return values[0] if isinstance(values[0], dict) else {"result": values[0]}


def _value(result: Result) -> Json | str:
    if result.value is not None:
        value, text = result.value, json.dumps(result.value, ensure_ascii=False)
    else:
        text = "\n".join(part["text"] for part in result.parts if "text" in part)
        found = _object(text)
        if found is None:
            return text
        value = found
    return value if shallow(value) and not _refers(value) else text


def _object(text: str) -> Json | None:
    """Return the JSON object that a text is; None for any other text, also for doubtful JSON."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(
            text,
            parse_float=lambda number: _finite(number, float(number)),
            parse_int=lambda number: _finite(number, int(number)),
            parse_constant=lambda name: _finite(name, float(name)),
            object_pairs_hook=_without_repeats,
        )
    except (ValueError, OverflowError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _without_repeats(pairs: list[tuple[str, object]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that is there twice")
    return found


def _finite(written: str, number: float) -> float:
    if not math.isfinite(number):  # raises OverflowError for an integer that no double holds
        raise ValueError(f"{written} is no number of protobuf's")
    return number


def _refers(value: object) -> bool:
    if isinstance(value, dict) and isinstance(value.get(_REFERENCE), str):
        return True
    return any(_refers(inner) for inner in inside(value))
