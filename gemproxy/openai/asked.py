"""One chat request, translated: what goes up, and what the translator of its answer must know."""

from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.openai.fields import Json


@attrs.frozen
class Telling:
    """How the answer to one request is told.

    ``model`` is the name that the client wrote. ``names`` has the client's name of each function
    that the upstream knows by another one. ``schemas`` has, by the upstream's name of a function,
    the client's JSON Schema where its values were told to the model in another type and must be
    turned back. ``legacy``: the client knows ``function_call`` only. ``single_call``: it asked for
    one call at a time. ``include_usage``: a stream ends with the usage. ``logprobs``: it wants the
    probabilities of tokens, as far as the model has them. ``markdown``: pictures are
    shown in the text, too.
    """

    model: str
    names: Mapping[str, str] = attrs.field(factory=dict)
    schemas: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    legacy: bool = False
    single_call: bool = False
    include_usage: bool = False
    logprobs: bool = False
    markdown: bool = False


@attrs.frozen
class Asked:
    """A request of the chat route as Gemini gets it.

    ``model`` is the upstream's name, ``body`` its request. ``n`` counts the answers that the client
    wants; each is a generation of its own. ``injected``: the operator's prompt is in it.
    """

    model: str
    body: Json = attrs.field(repr=False)
    telling: Telling
    stream: bool = False
    n: int = 1
    injected: bool = False
