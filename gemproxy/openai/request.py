"""A chat request of OpenAI's dialect, translated into a native request of Gemini.

Pure: the same document and the same ways give the same request. A document that cannot be
translated raises BadField, which names the field as OpenAI writes it. The parts of the work are in
modules of their own; this one puts them together, and sees to the rules for the whole:

- the contents are not empty, and the user begins: a blank text stands in for a user who says
  nothing;
- where the model takes no systemInstruction, or a cache is used, which has its own, the texts of
  the system begin the first user turn; where there is nothing else, they are it;
- a model that refuses a last turn of its own (``Family.prefill``) is asked to go on.
"""

import re
from collections.abc import Callable, Mapping

import attrs

from gemproxy.core.errors import BadField
from gemproxy.openai import formats, parameters, thinking, tools
from gemproxy.openai.asked import Asked, Telling
from gemproxy.openai.details import resolution
from gemproxy.openai.fields import Json, a_text
from gemproxy.openai.media import Files
from gemproxy.openai.messages import Context, called, spoken
from gemproxy.openai.naming import Names
from gemproxy.shaping.family import PICTURES, Family, family_of
from gemproxy.shaping.injection import inject
from gemproxy.shaping.shaping import Shaping
from gemproxy.shaping.suffix import Wish, split
from gemproxy.shaping.thinking import thinking_config

GO_ON = "Continue."
"""The user's turn behind a last turn of the model's, where the model wants one."""

BLANK = " "
"""The user's turn where the user said nothing; Gemini refuses an empty text."""

_MODEL = re.compile(r"(?:tunedModels/)?[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DRAWN = ("TEXT", "IMAGE")


def _unsigned(_picture: bytes) -> str | None:
    return None


@attrs.frozen
class Ways:
    """How requests are translated: what the operator set, and what was fetched for this request.

    ``aliases`` has upstream models by the names that clients write. ``suffixes``: the endings of
    model names are wishes. ``shaping`` has the defaults for thinking and the operator's prompt.
    ``image_models`` answer with pictures. ``markdown``: these are shown in the text, too.
    ``links``: by links, if they can be kept. ``recalls_all``: links to kept pictures turn back into
    pictures in all messages, not only in the newest one that has any.
    ``files`` has what was fetched for the URLs of the request (``content.links``), and the bases
    of Gemini's own files.
    ``signatures`` gives the thoughtSignature that came with a picture, by its bytes.
    """

    default_model: str = "gemini-2.5-flash"
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    suffixes: bool = False
    shaping: Shaping = attrs.field(factory=Shaping)
    image_models: tuple[str, ...] = PICTURES
    markdown: bool = False
    links: bool = False
    recalls_all: bool = False
    files: Files = attrs.field(factory=Files)
    signatures: Callable[[bytes], str | None] = attrs.field(default=_unsigned, repr=False)


@attrs.frozen
class Chosen:
    """The model of a request: the name that the client wrote, the upstream's, and its wish."""

    named: str
    model: str
    wish: Wish = attrs.field(factory=Wish)


def translate(document: Json, ways: Ways) -> Asked:
    """Return the native request for one chat request, and what its answer's translator must know.

    ``document`` is the parsed body. Raises BadField.
    """
    chosen = choose(document, ways)
    family = family_of(chosen.model, ways.image_models)
    manner = parameters.manner(document)
    if chosen.wish.search and document.get("web_search_options") is None:
        document = {**document, "web_search_options": {}}
    names = Names.of([*tools.names_in(document), *called(document.get("messages"))])
    body = _body(document, family, names, ways)
    _think(body, document, family, chosen, ways)
    injection = ways.shaping.injection
    injected = inject(body, injection, family) if injection is not None else None
    return Asked(
        model=chosen.model,
        body=body if injected is None else injected,
        telling=Telling(
            model=chosen.named,
            names=names.changed,
            schemas=tools.schemas_told(document, names),
            legacy=manner.legacy,
            single_call=manner.single_call,
            include_usage=manner.include_usage,
            logprobs=manner.logprobs,
            markdown=ways.markdown,
        ),
        stream=manner.stream,
        n=manner.n,
        injected=injected is not None,
    )


def choose(document: Json, ways: Ways) -> Chosen:
    """Return the model of a request. Raises BadField for what can be the name of none."""
    given = document.get("model")
    named = ways.default_model if given is None else a_text(given, "model")
    model, wish = ways.aliases.get(named, named).removeprefix("models/"), Wish()
    if ways.suffixes:
        model, wish = split(model, ways.aliases.keys())
        if model in ways.aliases:
            model, weaker = split(ways.aliases[model].removeprefix("models/"), ways.aliases.keys())
            wish = wish.over(weaker)
    if not _MODEL.fullmatch(model):
        raise BadField("model", "is not the name of a model", reason="model_not_found")
    return Chosen(named, model, wish)


def _body(document: Json, family: Family, names: Names, ways: Ways) -> Json:
    """Return the native request but for thinking and the operator's prompt."""
    messages = document.get("messages")
    context = Context(family, names.up, ways.files, ways.signatures)
    said = spoken(messages, context)
    native = parameters.config(document, family)
    declared = tools.declared(document, names, family)
    wanted = formats.wanted(document, family, declared)
    system = [*said.system, wanted.instruction] if wanted.instruction else said.system
    takes_system = family.system and "cachedContent" not in native
    body = {**_conversation(system, said.contents, family, takes_system=takes_system), **declared}
    config = {**native.pop("generationConfig"), **wanted.config}
    detail = resolution(messages, family)
    if detail is not None:
        config["mediaResolution"] = detail
    if family.draws:
        config.setdefault("responseModalities", list(_DRAWN))
    return {**body, **native, **({"generationConfig": config} if config else {})}


def _conversation(
    system: list[str], contents: list[Json], family: Family, *, takes_system: bool
) -> Json:
    """Return ``contents`` and ``systemInstruction``, with the rules for the whole kept."""
    texts = [{"text": text} for text in system]
    body: Json = {}
    if takes_system and contents and texts:
        body["systemInstruction"] = {"parts": texts}
        texts = []
    if contents and contents[0]["role"] == "user":
        first = {"role": "user", "parts": [*texts, *contents[0]["parts"]]}
        contents = [first, *contents[1:]]
    else:
        contents = [{"role": "user", "parts": texts or [{"text": BLANK}]}, *contents]
    if contents[-1]["role"] == "model" and not family.prefill:
        contents = [*contents, {"role": "user", "parts": [{"text": GO_ON}]}]
    return {"contents": contents, **body}


def _think(body: Json, document: Json, family: Family, chosen: Chosen, ways: Ways) -> None:
    default = ways.shaping.thoughts.default(chosen.model)
    config = thinking_config(family, thinking.asked(document), chosen.wish.thinking, default)
    if config is not None:
        body.setdefault("generationConfig", {})["thinkingConfig"] = config
