"""The content of one message: a text, or a list of parts, as parts of a Gemini request.

    text, input_text, output_text, refusal         text
    image_url, input_image, audio_url, video_url   a file by URL or data URL: an object with
                                                   ``url``, or the URL itself
    input_audio                                    base64 with its format
    file, input_file                               file_data (data URL or base64), file_url, or
                                                   file_id, which is a name of Gemini's own
    image, audio                                   as tools and other dialects write them: data
                                                   and its type, or a URL, perhaps in ``source``

Any other type is refused. An empty text gives no part, because Gemini takes none.

A file that cannot be sent is an error of the request in a user's message. A client cannot mend what
a model or a tool said, so there (``past``) a remark stands in its place.
"""

import re
from collections.abc import Callable, Iterator, Mapping

import attrs

from gemproxy.core.errors import BadField
from gemproxy.openai.fields import Json, a_text, an_object
from gemproxy.openai.media import Files, Named
from gemproxy.openai.sniffing import Untaken

PICTURES = frozenset({"image_url", "input_image", "image"})
"""The types of parts that show a picture."""

_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_THOUGHTS = frozenset({"reasoning", "reasoning_content", "thinking", "redacted_thinking"})
_MIMES = ("mimeType", "mime_type", "media_type")
_BLOCKS = ("data", "base64", "url")
_OWN = re.compile(r"files/[\w-]+|(?:https?|gs)://\S+")
_DATA = "data:image/"
_MOST_WORDS = 1000
"""The most characters of a Markdown picture in front of its URL."""


@attrs.frozen
class Reading:
    """How a content is read: with which files, and as what.

    ``past``: it is what a model or a tool said.
    """

    files: Files = attrs.field(factory=Files)
    past: bool = False


def parts_of(content: object, at: str, reading: Reading) -> list[Json]:
    """Return the parts for a content at the path ``at``; raise BadField for what is none."""
    if isinstance(content, str):
        return texts_and_pictures(content) if reading.past else _text(content)
    if not isinstance(content, list):
        raise BadField(at, "must be a string or an array of parts")
    return [
        part
        for number, given in enumerate(content)
        for part in one(given, f"{at}[{number}]", reading)
    ]


def one(given: object, at: str, reading: Reading) -> list[Json]:
    """Return the parts for one part of a content, which may be a bare text; raise BadField."""
    if isinstance(given, str):
        return _text(given)
    part = an_object(given, at)
    kind = part.get("type")
    if not isinstance(kind, str):
        raise BadField(f"{at}.type", "must be a string")
    if kind in _TEXTS:
        text = a_text(part.get(_TEXTS[kind]), f"{at}.{_TEXTS[kind]}")
        return texts_and_pictures(text) if reading.past else _text(text)
    if kind in _THOUGHTS and reading.past:
        return []
    if kind not in _FILES:
        raise BadField(f"{at}.type", f"is '{kind}', which this route does not take")
    return [_file(part, kind, at, reading)]


def texts_and_pictures(text: str) -> list[Json]:
    """Return a text of the past as parts, with pictures where it shows some as data URLs.

    Read are Markdown pictures, and a text that is nothing but a data URL.
    """
    if text.lstrip().startswith(_DATA) and len(text.split(maxsplit=1)) == 1:
        return [_picture(text) or {"text": text}]
    found: list[Json] = []
    done = 0
    for start, middle, end in _shown_in(text):
        picture = _picture(text[middle:end])
        if picture is not None:
            found += [*_text(text[done:start]), picture]
            done = end + 1
    return found + _text(text[done:])


def _shown_in(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield where Markdown pictures begin, and where their data URLs begin and end."""
    at = 0
    while (middle := text.find(f"]({_DATA}", at)) >= 0:
        start = text.rfind("![", max(at, middle - _MOST_WORDS), middle)
        end = text.find(")", middle)
        if end < 0:
            return
        if start >= 0 and "]" not in text[start:middle]:
            yield start, middle + len("]("), end
        at = end + 1


@attrs.frozen
class Shown:
    """A file that a message shows: the path of the field that names it, and the detail asked."""

    at: str
    kind: str
    named: Named
    detail: object


def files_in(messages: object) -> Iterator[Shown]:
    """Yield the files that messages show; skip what is wrong.

    The translation of a message is what complains.
    """
    for number, message in enumerate(_listed(messages)):
        if not isinstance(message, dict):
            continue
        for field in ("content", "images"):
            for place, given in enumerate(_listed(message.get(field))):
                shown = file_of(given, f"messages[{number}].{field}[{place}]")
                if shown is not None:
                    yield shown


def links(messages: object, bases: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the pictures that messages name by http(s) URLs: path of the field -> URL.

    Those that Gemini reads itself (its own files, see ``Files``) are not among them.
    """
    files = Files(bases=bases)
    pictures = (shown for shown in files_in(messages) if shown.kind in PICTURES)
    return {one.at: url for one in pictures if files.is_web(url := one.named.source.strip())}


def file_of(given: object, at: str = "") -> Shown | None:
    """Return the file that the part at the path ``at`` shows; None if it is wrong, or a text."""
    kind = given.get("type") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(kind, str) or kind not in _FILES:
        return None
    try:
        named, place = _FILES[kind](given, at)
    except BadField:
        return None
    return Shown(place, kind, named, _detail(given))


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _file(given: Json, kind: str, at: str, reading: Reading) -> Json:
    named, place = _FILES[kind](given, at)
    try:
        return reading.files.part(named)
    except Untaken as why:
        if not reading.past:
            raise BadField(place, str(why)) from None
        source = named.source.strip()
        shown = source if reading.files.is_web(source) else named.filename
        return {"text": f"[{shown or kind}: a file that cannot be shown]"}


def _text(text: str) -> list[Json]:
    return [{"text": text}] if text else []


def _picture(url: str) -> Json | None:
    try:
        return Files().part(Named(url))
    except Untaken:
        return None


def _detail(given: Json) -> object:
    value = given.get("image_url")
    return value.get("detail") if isinstance(value, dict) else given.get("detail")


def _by_url(field: str) -> Callable[[Json, str], tuple[Named, str]]:
    def read(given: Json, at: str) -> tuple[Named, str]:
        value = given.get(field)
        place = f"{at}.{field}"
        if value is None and given.get("file_id") is not None:
            return _own(given["file_id"], f"{at}.file_id"), f"{at}.file_id"
        if isinstance(value, str):
            return Named(value), place
        named = an_object(value, place)
        place = f"{place}.url"
        source = a_text(named.get("url"), place)
        return Named(source, _word(named, "format") or _word(named, "mime_type")), place

    return read


def _audio(given: Json, at: str) -> tuple[Named, str]:
    place = f"{at}.input_audio"
    audio = an_object(given.get("input_audio"), place)
    return Named(a_text(audio.get("data"), f"{place}.data"), _word(audio, "format")), place


def _document(given: Json, at: str) -> tuple[Named, str]:
    nested = given.get("file") is not None or given["type"] == "file"
    file = an_object(given.get("file"), f"{at}.file") if nested else given
    at = f"{at}.file" if nested else at
    for field in ("file_data", "file_url"):
        if file.get(field) is not None:
            source = a_text(file[field], f"{at}.{field}")
            return Named(source, _word(file, "format"), _word(file, "filename")), f"{at}.{field}"
    return _own(file.get("file_id"), f"{at}.file_id"), f"{at}.file_id"


def _block(given: Json, at: str) -> tuple[Named, str]:
    source = given.get("source")
    block = source if isinstance(source, dict) else given
    mime = next((found for name in _MIMES if (found := _word(block, name))), "")
    data = next((block[name] for name in _BLOCKS if block.get(name) is not None), None)
    place = f"{at}.source" if block is source else at
    return Named(a_text(data, f"{place}.data"), mime), place


def _own(name: object, at: str) -> Named:
    named = a_text(name, at)
    if not _OWN.fullmatch(named):
        raise BadField(at, "is not the name of a file of Gemini's, such as files/abc")
    return Named(named)


def _word(given: Json, field: str) -> str:
    value = given.get(field)
    return value if isinstance(value, str) else ""


_FILES: Mapping[str, Callable[[Json, str], tuple[Named, str]]] = {
    "image_url": _by_url("image_url"),
    "input_image": _by_url("image_url"),
    "audio_url": _by_url("audio_url"),
    "video_url": _by_url("video_url"),
    "input_audio": _audio,
    "file": _document,
    "input_file": _document,
    "image": _block,
    "audio": _block,
}
"""Type of part -> its file, and the path of the field that names it."""
