"""The OpenAPI document of the admin API, made from the rows that the application serves.

It is OpenAPI 3.1, whose schemas are JSON Schema as msgspec writes it. ``for_viewer`` says the same
in OpenAPI 3.0, because the page that ships in ``swagger-ui-bundle`` reads no later one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gemproxy import __version__
from gemproxy.admin.route import Nothing, Route
from gemproxy.admin.texts import common

_ABOUT = (
    "What an operator asks of a running gemproxy, and changes in it. Every path needs the"
    " operator's secret (`admin.secret`). Times are in UTC by RFC 3339. Answers never hold a"
    " Gemini key; an access key is in the answer that makes it, once. Lists come in pages: `next`"
    " of an answer is the `cursor` of the next request, null at the end."
)
_REF = "#/components/schemas/{name}"
_PART = re.compile(r"\{(\w+)\}")
_PARTS = {
    "key": "The fingerprint of a Gemini key.",
    "name": "The name or the id of an access key.",
    "id": "The id in the list.",
    "image": "The id of a picture.",
    "path": "The path of a setting, such as pool.strategy.",
}
"""What the parts of paths are."""

_ERROR: Mapping[str, Any] = {
    "type": "object",
    "description": "A google.rpc.Status, as errors of the Gemini API are.",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "description": "What went wrong.",
            "additionalProperties": False,
            "required": ["code", "message", "status"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status."},
                "message": {"type": "string", "description": "Why, for people."},
                "status": {"type": "string", "description": "The google.rpc.Code, by name."},
                "details": {
                    "type": "array",
                    "items": {"type": "object"},
                    "description": "RequestInfo with the request id; BadRequest with the field.",
                },
            },
        }
    },
}
_REFUSALS: Mapping[int, str] = {
    400: "A field or the form of the request is wrong; the details name the field.",
    401: "The secret is missing or wrong.",
    403: "No secret is set, the credential is an access key, or another site's page asks.",
    404: "There is nothing of this name, or the proxy runs without what it is about.",
    405: "The path does not take this method; Allow has those that it takes.",
    408: "The request's body did not come in time.",
    409: "The change cannot be made as things stand; the message says why.",
    413: "The request's body is too large.",
    415: "The request's body is compressed.",
    421: "The Host is not known as one of the proxy's: see admin.hosts.",
    429: "Too many wrong secrets came from this address; Retry-After has the wait in seconds.",
    500: "The proxy failed unexpectedly; the log has the reason.",
    503: "A database cannot be used now, or the proxy is shutting down.",
}
_OF_BODIES = frozenset({408, 409, 413, 415})


def document(rows: Sequence[Route]) -> dict[str, Any]:
    """Return the document of ``rows``."""
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.base + row.path, {})[row.method.lower()] = _operation(row)
    forms = [form for row in rows for form in (row.answer, row.body) if form is not Nothing]
    _, schemas = msgspec.json.schema_components(forms, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {"title": "gemproxy admin API", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(map(_tag, rows))],
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, **common(), "Error": _ERROR},
            "responses": {str(status): _refusal(words) for status, words in _REFUSALS.items()},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The operator's secret (admin.secret).",
                },
                "header": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-admin-secret",
                    "description": "The operator's secret (admin.secret).",
                },
            },
        },
    }


def _operation(row: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _id(row),
        "summary": row.summary,
        "tags": [_tag(row)],
        "parameters": [*_parts(row), *_parameters(row)],
        "responses": {str(row.status): _answer(row), **_refusals(row)},
    }
    if row.body is not Nothing:
        (schema,), forms = msgspec.json.schema_components([row.body], ref_template=_REF)
        form = forms[schema["$ref"].rpartition("/")[2]]
        required = bool(form["required"]) or len(schema) > 1
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _answer(row: Route) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": _schema(row.answer)}}
    for media in row.media:
        content[media] = {"schema": {"type": "string"}}
    return {"description": "The answer.", "content": content}


def _refusals(row: Route) -> dict[str, Any]:
    changes = row.method not in {"GET", "HEAD"}
    return {
        str(status): {"$ref": f"#/components/responses/{status}"}
        for status in _REFUSALS
        if changes or status not in _OF_BODIES
    }


def _refusal(words: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _parts(row: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PARTS[name],
            "schema": {"type": "string", "minLength": 1},
        }
        for name in _PART.findall(row.path)
    ]


def _parameters(row: Route) -> list[dict[str, Any]]:
    _, schemas = msgspec.json.schema_components([row.query], ref_template=_REF)
    schema = schemas[row.query.__name__]
    required = schema.get("required", ())
    parameters = []
    for name, field in schema["properties"].items():
        shown = _without_null(field)
        parameter = {"name": name, "in": "query", "required": name in required, "schema": shown}
        if "description" in field:
            parameter["description"] = field["description"]
        parameters.append(parameter)
    return parameters


def _without_null(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a field in a query, which leaves out what it does not have."""
    made = {name: value for name, value in field.items() if (name, value) != ("default", None)}
    choices = [choice for choice in made.pop("anyOf", ()) if choice != {"type": "null"}]
    if not choices:
        return made
    return {**made, **choices[0]} if len(choices) == 1 else {**made, "anyOf": choices}


def _schema(form: Any) -> dict[str, Any]:  # noqa: ANN401 (whatever a row answers)
    (schema,), _ = msgspec.json.schema_components([form], ref_template=_REF)
    return schema


def _tag(row: Route) -> str:
    return row.tag or row.handler.__module__.rpartition(".")[2]


def _id(row: Route) -> str:
    return f"{_tag(row)}_{row.handler.__name__}"


def for_viewer(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document in OpenAPI 3.0: ``null`` is no type there, but a word beside one."""
    viewed: dict[str, Any] = _nullable(document)
    return {**viewed, "openapi": "3.0.3"}


def _nullable(value: Any) -> Any:  # noqa: ANN401 (any JSON)
    if isinstance(value, list):
        return [_nullable(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    made = {name: _nullable(item) for name, item in value.items()}
    choices = made.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del made["anyOf"]
        return {**made, **(rest[0] if len(rest) == 1 else {"anyOf": rest}), "nullable": True}
    return made
