"""What ``/v1/images/generations``, ``/v1/images/edits`` and ``/generate`` ask of Gemini.

Gemini draws one picture for a request, in one of a few shapes, and larger ones from Gemini 3 on:

- ``size`` becomes the nearest of the shapes of ``imageConfig.aspectRatio``, and is refused if none
  is near. ``auto``, or no size, leaves the shape to the model.
- ``quality`` high or hd, or a size of 2048 pixels or more, is ``imageSize`` 2K, and 4K from 3840
  on, for models that have sizes. All else is the model's own, which is 1K.
- ``n`` is the number of requests. ``output_format`` cannot be chosen: the answer says what it is.
- A transparent background, compression and masks do not exist, so they are refused.
- ``style``, ``moderation``, ``partial_images`` and ``user`` are hints; they change nothing.

``/generate`` is for people who come from a relay for pictures: it has a prompt, a model and
``number_of_images``, and leaves all else to the model.

Sources: https://ai.google.dev/gemini-api/docs/image-generation,
https://platform.openai.com/docs/api-reference/images.
"""

import base64
import math
import re
from collections.abc import Mapping, Sequence

import attrs

from gemproxy.core.errors import BadField
from gemproxy.core.picture import TAKEN, Picture, type_of
from gemproxy.openai.fields import Json, a_list, a_switch, a_text, an_integer
from gemproxy.openai.media import Files, Named
from gemproxy.openai.sniffing import Untaken
from gemproxy.shaping.family import PICTURES, Family, family_of
from gemproxy.shaping.patterns import matches

MOST = 10
"""Pictures for one request."""

MOST_GIVEN = 16
"""Pictures that one request may have changed."""

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
"""The shapes that all models draw."""

_NEAR = 0.1
"""How far a shape may be from a ratio: a tenth. 1792x1024 is 1.6 % from 16:9."""

_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_LARGE = ((3840, "4K"), (2048, "2K"))
"""The longer side in pixels -> imageSize."""
_FINE = "2K"
_QUALITIES = {"auto": "", "low": "", "medium": "", "standard": "", "high": _FINE, "hd": _FINE}
_WITH_SIZES = ("*nano-banana-pro*", "*nano-banana-2*")
"""Models without a version in their names that have sizes."""

_FORMATS = ("png", "jpeg", "webp")
_RESPONSES = ("b64_json", "url")
_NOT_TAKEN = "is no PNG, JPEG, WebP, HEIC or HEIF picture by its bytes"
_HEAD = 16  # characters of base64 that show a type
_BOTH = ("TEXT", "IMAGE")
_FIRST_ALONE = (2, 5)
"""The first version that answers with a picture alone."""


@attrs.frozen
class Drawing:
    """What a request asks for; ``links``: links to the pictures in place of their bytes.

    ``named`` is the model as the client wrote it, ``model`` the upstream's name.
    """

    named: str
    model: str
    prompt: str = attrs.field(repr=False)
    n: int = 1
    ratio: str = ""
    size: str = ""
    links: bool = False
    stream: bool = False
    alone: bool = True
    """Whether the model draws without saying something."""
    pictures: Sequence[Json] = attrs.field(default=(), repr=False)
    """The parts with the client's own pictures."""

    def body(self) -> Json:
        """Return the native request for one picture; the client's own go in front of the words."""
        parts = [*self.pictures, {"text": self.prompt}]
        config: Json = {"responseModalities": list(_BOTH[1:] if self.alone else _BOTH)}
        shape = {"aspectRatio": self.ratio, "imageSize": self.size}
        if wanted := {name: value for name, value in shape.items() if value}:
            config["imageConfig"] = wanted
        return {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}


@attrs.frozen
class Studio:
    """What the operator set: the model of a request that names none, aliases, models that draw.

    ``links``: whether pictures are kept, so that there can be links to them. ``relay_links``:
    whether ``/generate`` answers with them. ``seconds``: in which each picture must come.
    """

    default_model: str = "gemini-3-pro-image-preview"
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    image_models: tuple[str, ...] = PICTURES
    links: bool = False
    relay_links: bool = False
    seconds: float = 120.0


def translate(document: Json, studio: Studio, pictures: Sequence[Json] = ()) -> Drawing:
    """Return what a request asks for; ``pictures`` are the parts that are to be changed.

    Raises BadField, which names the field.
    """
    named, model, family = _drawer(document, studio)
    _refuse(document)
    ratio, large = _shape(_of(document, "size") or "auto")
    fine = _one_of(document, "quality", _QUALITIES)
    drawing = Drawing(
        named,
        model,
        _prompt(document),
        _number(document, "n"),
        ratio,
        (large or _QUALITIES[fine]) if _has_sizes(family) else "",
        links=_links(document, studio),
        stream=_stream(document),
        alone=_alone(family),
        pictures=pictures,
    )
    if drawing.stream and drawing.n > 1:
        raise BadField("stream", "is possible for one picture only, so 'n' must be 1")
    return drawing


def relayed(document: Json, studio: Studio) -> Drawing:
    """Return what a request to ``/generate`` asks for; raise BadField, which names the field."""
    named, model, family = _drawer(document, studio)
    return Drawing(
        named,
        model,
        _prompt(document),
        _number(document, "number_of_images"),
        links=studio.relay_links,
        alone=_alone(family),
    )


def _drawer(document: Json, studio: Studio) -> tuple[str, str, Family]:
    """Return the model as it is named and as it is called, and its family.

    Raises BadField for one that cannot draw.
    """
    named = _of(document, "model") or studio.default_model
    model = studio.aliases.get(named, named).removeprefix("models/")
    family = family_of(model, studio.image_models)
    if not family.draws:
        raise BadField("model", "is not one that answers with pictures", reason="model_not_found")
    return named, model, family


def _alone(family: Family) -> bool:
    return family.version >= _FIRST_ALONE or not family.version[0]


def _of(document: Json, field: str) -> str:
    """Return the text of a field; null and a missing one are empty."""
    value = document.get(field)
    return "" if value is None else a_text(value, field).strip()


def _one_of(document: Json, field: str, known: Mapping[str, str] | Sequence[str]) -> str:
    value = _of(document, field) or next(iter(known))
    if value not in known:
        raise BadField(field, f"must be one of {', '.join(known)}")
    return value


def _prompt(document: Json) -> str:
    prompt = a_text(document.get("prompt"), "prompt")
    if not prompt.strip():
        raise BadField("prompt", "must not be empty")
    return prompt


def _number(document: Json, field: str) -> int:
    n = document.get(field)
    return 1 if n is None else an_integer(n, field, 1, MOST)


def _stream(document: Json) -> bool:
    stream = document.get("stream")
    return stream is not None and a_switch(stream, "stream")


def _links(document: Json, studio: Studio) -> bool:
    links = _one_of(document, "response_format", _RESPONSES) == "url"
    if links and not studio.links:
        raise BadField(
            "response_format",
            "cannot be 'url': the proxy keeps no pictures (images.storage); use 'b64_json'",
        )
    return links


def _refuse(document: Json) -> None:
    """Raise BadField for what Gemini cannot do."""
    _one_of(document, "output_format", _FORMATS)
    if _of(document, "background") == "transparent":
        raise BadField("background", "cannot be transparent: Gemini draws no transparency")
    if document.get("output_compression") not in {None, 100}:
        raise BadField("output_compression", "is not supported: Gemini decides it")
    if document.get("mask") is not None:
        raise BadField("mask", "is not supported: say in the prompt which part is to change")


def _shape(size: str) -> tuple[str, str]:
    """Return the aspectRatio and the imageSize of a size; each may be empty."""
    if size == "auto":
        return "", ""
    found = _SIZE.fullmatch(size)
    if found is None:
        raise BadField("size", "must be 'auto' or WIDTHxHEIGHT in pixels, such as 1536x1024")
    width, height = int(found[1]), int(found[2])
    ratio = min(RATIOS, key=lambda one: _distance(one, width, height))
    if _distance(ratio, width, height) > math.log1p(_NEAR):
        raise BadField("size", f"has a shape that Gemini cannot draw; it has {', '.join(RATIOS)}")
    longer = max(width, height)
    return ratio, next((name for pixels, name in _LARGE if longer >= pixels), "")


def _distance(ratio: str, width: int, height: int) -> float:
    across, down = map(int, ratio.split(":"))
    return abs(math.log(width * down / (height * across)))


def _has_sizes(family: Family) -> bool:
    return family.version >= (3, 0) or matches(family.name, _WITH_SIZES)


def picture_part(data: bytes, field: str) -> Json:
    """Return the part for a picture of the client's; raise BadField for what is none.

    The bytes decide the type.
    """
    mime = type_of(data[:12])
    if mime not in TAKEN:
        raise BadField(field, _NOT_TAKEN)
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode("ascii")}}


def pictures_in(document: Json, kept: Mapping[str, Picture] | None = None) -> list[Json]:
    """Return the parts for the pictures that a JSON request holds; raise BadField.

    They are ``images``, with the data URL of each in ``image_url``, or in ``image`` as it is. Links
    to ``kept`` pictures stand for these.
    """
    files = Files(kept or {})
    return [_given(source, field, files) for field, source in _sources(document)]


def urls_in(document: Json) -> list[str]:
    """Return the URLs of the pictures that a JSON request holds; raise BadField."""
    return [source.strip() for _, source in _sources(document) if isinstance(source, str)]


def _sources(document: Json) -> list[tuple[str, object]]:
    """Return the field and the URL of each picture."""
    if document.get("images") is not None:
        listed = [
            (f"images[{number}].image_url", item.get("image_url") if type(item) is dict else None)
            for number, item in enumerate(a_list(document["images"], "images"))
        ]
    else:
        image = document.get("image")
        several = image if isinstance(image, list) else [image]
        listed = [("image", item) for item in several if item is not None]
    if not 0 < len(listed) <= MOST_GIVEN:
        raise BadField("image", f"must be one picture, and at most {MOST_GIVEN}")
    return listed


def _given(source: object, field: str, files: Files) -> Json:
    if not isinstance(source, str):
        raise BadField(field, "must be a data URL")
    try:
        part = files.part(Named(source))
    except Untaken as error:
        raise BadField(field, str(error)) from None
    data = part.get("inlineData", {}).get("data", "")
    mime = type_of(base64.b64decode(data[:_HEAD]))
    if mime not in TAKEN:
        raise BadField(field, _NOT_TAKEN)
    return {"inlineData": {"mimeType": mime, "data": data}}
