"""What ``response_format`` becomes: a native format, or words in the instruction.

Gemini has JSON as a format and a schema for it. Before Gemini 3 it refuses both beside tools, and
later, too, while a call is forced (googleapis/python-genai#867); models that draw have no JSON. A
name without a version may be an older model. The wish is never dropped: there it goes into the
instruction.
"""

import json

import attrs

from gemproxy.core.errors import BadField
from gemproxy.openai.fields import Json, a_text, an_object
from gemproxy.openai.schemas import cleaned
from gemproxy.shaping.family import UNKNOWN, Family

_FIELD = "response_format"
_JSON = "application/json"


@attrs.frozen
class Wanted:
    """The format of an answer.

    ``config`` are fields of generationConfig. ``instruction`` is a sentence for the model where
    they cannot say it, else empty.
    """

    config: Json = attrs.field(factory=dict)
    instruction: str = ""


def wanted(document: Json, family: Family, declared: Json) -> Wanted:
    """Return the format that a request asks for.

    ``declared`` are the native fields of its tools. Raise BadField for a format that OpenAI does
    not have, or one without its schema.
    """
    asked = document.get(_FIELD)
    if asked is None:
        return Wanted()
    form = an_object(asked, _FIELD)
    kind = a_text(form.get("type"), _FIELD)
    if kind == "text":
        return Wanted()
    if kind not in {"json_object", "json_schema"}:
        raise BadField(_FIELD, "must have the type text, json_object or json_schema")
    schema = _schema(form, kind)
    if _takes_json(family, declared):
        fields: Json = {"responseMimeType": _JSON}
        return Wanted(fields if schema is None else {**fields, "responseJsonSchema": schema})
    return Wanted(instruction=_in_words(schema))


def _schema(form: Json, kind: str) -> Json | None:
    """Return the schema; some clients of other servers write one beside json_object, too."""
    if kind == "json_object" and not isinstance(form.get("schema"), dict):
        return None
    inner = an_object(form.get("json_schema", form), _FIELD)
    schema = inner.get("schema")
    if not isinstance(schema, dict):
        raise BadField(_FIELD, "needs an object in json_schema.schema")
    return cleaned(schema, _FIELD)


def _takes_json(family: Family, declared: Json) -> bool:
    calling = declared.get("toolConfig", {}).get("functionCallingConfig", {})
    forced = calling.get("mode", "AUTO") not in {"AUTO", "NONE"}
    known = family.json_with_tools and family.version != UNKNOWN
    beside = "tools" not in declared or (known and not forced)
    return beside and not family.draws


def _in_words(schema: Json | None) -> str:
    wish = "When you answer, write one JSON value and nothing around it, no Markdown."
    if schema is None:
        return wish
    return f"{wish} It must satisfy this JSON Schema: {json.dumps(schema, ensure_ascii=False)}"
