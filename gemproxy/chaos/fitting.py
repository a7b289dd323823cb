"""The answer that fits a request: the script's own, or one that a model would give instead.

After the response to its call a model continues with a text; repeating the call would keep an agent
in a loop. A request for JSON gets a document of its schema, one for an enum (``text/x.enum``) one
of the names, unless there are tools to call first.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.documents import example
from gemproxy.core.repair.request import StreamRequest, look_up
from gemproxy.core.seam.document import is_document

_ENUM = "text/x.enum"


def fitting(answer: Answer, document: dict[str, Any], *, documents: bool) -> Answer:
    """Return the answer to a request.

    Args:
        answer: the script's answer.
        document: the request's body.
        documents: whether a request for JSON gets a document if ``answer`` is not one. An
            answer without text stays unchanged, because its script is about that.

    Raises NoExample for a schema without a matching value.

    """
    request = StreamRequest(json.dumps(document).encode())
    responses = _responses(request)
    if answer.calls and responses:
        answer = _saying("\n".join(map(_sentence, responses)), answer)
    elif answer.calls and look_up(document, "tools"):
        return answer
    return _as_asked(answer, request) if documents and answer.text else answer


def _responses(request: StreamRequest) -> list[Mapping[str, Any]]:
    """Return the functionResponse parts after the last turn of the model."""
    found: list[Mapping[str, Any]] = []
    for turn in reversed(request.contents):
        if turn.get("role") == "model":
            break
        parts = turn.get("parts")
        parts = parts if isinstance(parts, list) else [parts]
        own = [look_up(part, "functionResponse") for part in parts if isinstance(part, dict)]
        found = [one for one in own if isinstance(one, dict)] + found
    return found


def _sentence(response: Mapping[str, Any]) -> str:
    """Return a sentence with the whole response of a function."""
    said = json.dumps(response.get("response"), ensure_ascii=False)
    return f"Here is what {response.get('name')} has found out, told as it came: {said}"


def _as_asked(answer: Answer, request: StreamRequest) -> Answer:
    """Return the answer, as JSON or as a name of the enum if the request asks for that."""
    schema = request.schema
    if look_up(request.config, "responseMimeType") == _ENUM:
        names = (schema or {}).get("enum") or [answer.text]
        return answer if answer.text in names else _saying(str(names[0]), answer)
    if not request.wants_document or is_document(answer.text, schema):
        return answer
    value = {"text": answer.text} if schema is None else example(schema, answer.text)
    return _saying(json.dumps(value, ensure_ascii=False, indent=2), answer)


def _saying(text: str, answer: Answer) -> Answer:
    """Return the answer with another text, without the parts that belong to the old one."""
    return attrs.evolve(
        answer, text=text, calls=(), opening=(), closing=(), citations=(), others=()
    )
