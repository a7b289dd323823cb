"""A chat request of OpenAI's dialect, translated into a native request of Gemini.

Pure: the same document and the same ways give the same request. A document that cannot be
translated raises BadField, which names the field as OpenAI writes it. The parts of the work are in
modules of their own; this one puts them together.
"""

import re
from collections.abc import Callable, Mapping

import attrs

from gemproxy.core.errors import BadField
from gemproxy.core.picture import Picture
from gemproxy.openai.asked import Asked, Telling
from gemproxy.openai.fields import Json, a_switch, a_text
from gemproxy.openai.messages import spoken

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def _unsigned(_picture: bytes) -> str | None:
    return None


@attrs.frozen
class Ways:
    """How requests are translated: what the operator set, and what was fetched for this request.

    ``aliases`` has upstream models by the names that clients write. ``suffixes``: the endings of
    model names decide about thinking. ``image_models`` answer with pictures. ``markdown``: these
    are shown in the text, too. ``pictures`` has what was fetched for the URLs of the request.
    ``signatures`` gives the thoughtSignature that came with a picture, by its bytes.
    """

    default_model: str = "gemini-2.5-flash"
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    suffixes: bool = False
    image_models: tuple[str, ...] = ()
    markdown: bool = False
    pictures: Mapping[str, Picture] = attrs.field(factory=dict, repr=False)
    signatures: Callable[[bytes], str | None] = attrs.field(default=_unsigned, repr=False)


def translate(document: Json, ways: Ways) -> Asked:
    """Return the native request for one chat request, and what its answer's translator must know.

    ``document`` is the parsed body. Raises BadField.
    """
    named = _named(document.get("model"), ways)
    model = ways.aliases.get(named, named).removeprefix("models/")
    if not _MODEL.fullmatch(model):
        raise BadField("model", "is not the name of a model", reason="model_not_found")
    said = spoken(document.get("messages"))
    body: Json = {"contents": said.contents}
    if said.system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in said.system]}
    return Asked(
        model=model,
        body=body,
        telling=Telling(model=named, markdown=ways.markdown),
        stream=_switch(document, "stream"),
    )


def _named(value: object, ways: Ways) -> str:
    return ways.default_model if value is None else a_text(value, "model")


def _switch(document: Json, field: str) -> bool:
    value = document.get(field)
    return False if value is None else a_switch(value, field)
