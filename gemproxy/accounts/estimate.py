"""The most tokens that a request should use, judged before it goes up.

Input is counted by Google's rules (https://ai.google.dev/gemini-api/docs/tokens and
.../media-resolution), never by the length of base64:

- *Text.* A digit is a token of its own in Gemini's vocabulary. Two other ASCII characters make at
  least one, though four are usual; each other character makes at most one, and one beyond the
  basic plane at most four. Names and punctuation of the JSON around the text are counted, too.
- *Pictures.* 258 tokens for each tile; models from Gemini 3 on have a number for each resolution.
- *PDF.* 258 tokens a page; from Gemini 3 on a number for each resolution.
- *Sound* has 32 tokens a second, *film* at most 312, by the header of the file, and by its bytes
  at a low bit rate where the header says nothing.
- *What is not in the request* has a number of its own: a file by URI, a cached content, an earlier
  interaction, a page that is fetched.

Output is the limit that the request names, for each candidate, or else the one that it is given.
countTokens uses nothing; embeddings have no output. A Live session has no end that could be known,
so it holds a number of its own. Imagen and Veo bill pictures and seconds.

``expected`` is the same input at the usual ratio of four characters for a token, for the charge of
an answer whose input nobody counted.
"""

import binascii
import enum
import functools
import json
import math
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import msgspec

from gemproxy.accounts.media import (
    MOST_PAGES,
    Size,
    counted_pages,
    pages_of,
    seconds_of,
    size_of,
)
from gemproxy.core.answer.usage import TIERS, Billed
from gemproxy.core.repair.request import look_up
from gemproxy.exchange.exchange import Exchange

TILE = 258
PAGE = 258
AUDIO_SECOND = 32
VIDEO_SECOND = 312
"""280 for the one frame, of high resolution, and 32 for the sound."""
UNREAD_PICTURE = 16 * TILE
"""A picture whose size cannot be read, or that comes by URI: Google scales to 3072 pixels."""
UNSEEN = 32_000
"""A file by URI, a cached content, an earlier interaction, a page that is fetched."""
LIVE_SESSION = 64_000

_SMALL, _TILE_SIDE, _LARGEST_SIDE = 384, 768, 3072
_CROP = 1.5
_RESOLUTIONS = {"low": 280, "medium": 560, "high": 1120, "ultra_high": 2240}
"""Tokens of a picture, and of a page, by media_resolution, from Gemini 3 on."""
_USUAL_PICTURE, _USUAL_PAGE = 1120, 560
_AUDIO_BYTES, _VIDEO_BYTES = 2_000, 12_500
"""Bytes in a second at 16 and at 100 kbit/s."""
_PAGE_BYTES = 2_000
_HEAD = 1 << 18
_DOCUMENT = 1 << 20
_FOR_EACH = 2
"""Tokens that a value adds by its marks, a turn or a part by its frame."""
_PICTURES, _VIDEO_SECONDS = 4, 8
"""How many pictures Imagen makes, and how long Veo's films are, unless the request says so."""
_OLDER = re.compile(r"(?:models/)?gemini-(?:1|2)[.-]")
_PCM = re.compile(r"(?:pcm|l16)\b.*?rate=(\d{4,6})", re.IGNORECASE)
_CONFIGS = ("generationConfig", "generation_config")
_LIMITS = ("maxOutputTokens", "max_output_tokens", "max_completion_tokens", "max_tokens")
_CANDIDATES = ("candidateCount", "candidate_count")
_DIGITS = b"0123456789"
_CONTINUING = bytes(range(0x80, 0xC0))
_FOUR_BYTES = bytes(range(0xF0, 0xF8))
_ASCII, _NOT_ASCII = bytes(range(0x80)), bytes(range(0x80, 0x100))


class Asking(enum.Enum):
    """What a request asks for, as far as its tokens depend on that."""

    GENERATION = "generation"
    INTERACTION = "interaction"
    OPENAI = "openai"
    EMBEDDING = "embedding"
    PICTURES = "pictures"
    FILMS = "films"
    COUNT = "count"
    LIVE = "live"


_BY_PATH = (
    (re.compile(r":count\w*/?$"), Asking.COUNT),
    (
        re.compile(r":(?:\w*embed\w*|\w*Embed\w*)/?$|/(?:openai/.*|v1/+)embeddings/*$"),
        Asking.EMBEDDING,
    ),
    (re.compile(r":predictLongRunning/?$|/openai/.*videos/?$"), Asking.FILMS),
    (re.compile(r":\w*[pP]redict\w*/?$|/openai/.*images/\w+/?$"), Asking.PICTURES),
    (re.compile(r"/interactions/?$"), Asking.INTERACTION),
    (re.compile(r"/openai/"), Asking.OPENAI),
)


def asking(exchange: Exchange) -> Asking:
    """Return what a request asks for; a request with GET is a session."""
    if exchange.method == "GET":
        return Asking.LIVE
    return _asking(exchange.path)


@functools.lru_cache(maxsize=1024)
def _asking(path: str) -> Asking:
    """Return what a POST to a path asks for; nearly all requests have one of few."""
    return next((kind for form, kind in _BY_PATH if form.search(path)), Asking.GENERATION)


@attrs.frozen
class Estimate:
    """The most that a request should use, and the input that is ``expected`` of it."""

    most: Billed = attrs.field(factory=Billed)
    expected: Billed = attrs.field(factory=Billed)

    @property
    def tokens(self) -> int:
        """The most tokens, input and output."""
        return self.most.total


def estimate(
    kind: Asking, model: str, body: bytes | None, output: int, size: int | None = None
) -> Estimate:
    """Return the most that a request should use.

    ``output`` counts the tokens of an answer whose limit the request does not name. Where the body
    is not kept (None), ``size`` is its length in bytes, and it is judged as if all of it were text.
    """
    if kind is Asking.COUNT:
        return Estimate()
    document = _parsed(body)
    if document is None:
        least = size or len(body or b"")
        inputs = _Inputs(text=-(-least // 2), usual=-(-least // 4))
    elif kind in (Asking.PICTURES, Asking.FILMS):
        things = _things(kind, document)
        return Estimate(things, things)
    else:
        inputs = _Inputs(older=_OLDER.match(model) is not None)
        inputs.take(document)
    if kind is Asking.EMBEDDING:
        output = 0
    elif kind is Asking.LIVE:
        inputs.audio += LIVE_SESSION
        output = 0
    else:
        output = _output(kind, document or {}, output)
    tier = look_up(document or {}, "serviceTier")
    inputs.tier = str(tier).lower() if str(tier).lower() in TIERS else ""
    return Estimate(inputs.billed(inputs.text, output), inputs.billed(inputs.usual, 0))


def text_tokens(text: bytes) -> int:
    """Return the most tokens of a text in UTF-8."""
    whole = len(text)
    digits = whole - len(text.translate(None, _DIGITS))
    if text.isascii():
        return digits + -(-(whole - digits) // 2)
    others = text.translate(None, _ASCII)
    plain = whole - len(others) - digits
    leads = others.translate(None, _CONTINUING)
    large = len(leads) - len(leads.translate(None, _FOUR_BYTES))
    return digits + -(-plain // 2) + len(leads) + 3 * large


def picture_tokens(size: Size | None, resolution: str | None, *, older: bool) -> int:
    """Return the most tokens of a picture; ``older`` models have tiles only."""
    tiles = UNREAD_PICTURE if size is None else TILE * _tiles(size)
    if older:
        return tiles
    return max(tiles, _RESOLUTIONS.get(resolution or "", _USUAL_PICTURE))


def _tiles(size: Size) -> int:
    """Return the number of tiles by the coarser and the finer of Google's two descriptions.

    One has tiles of 768 pixels; in the other the shorter side is cut into one and a half.
    """
    width, height = size.width, size.height
    if max(width, height) <= _SMALL:
        return 1
    scale = min(1.0, _LARGEST_SIDE / max(width, height))
    sides = (math.ceil(width * scale), math.ceil(height * scale))
    unit = max(min(sides) / _CROP, 1)
    fixed = math.prod(math.ceil(side / _TILE_SIDE) for side in sides)
    return max(fixed, min(math.prod(math.ceil(side / unit) for side in sides), 64))


@attrs.define
class _Inputs:
    """Adds up the input of one request, most and usual; ``older``: a model before Gemini 3."""

    text: int = 0
    usual: int = 0
    images: int = 0
    audio: int = 0
    video: int = 0
    older: bool = False
    tier: str = ""
    _resolution: str | None = None
    _words: list[str] = attrs.field(factory=list)

    def billed(self, text: int, output: int) -> Billed:
        """Return the sum as usage."""
        prompt = text + self.images + self.audio + self.video
        return Billed(
            prompt=prompt,
            output=output,
            total=prompt + output,
            audio=self.audio,
            images=self.images,
            video=self.video,
            tier=self.tier,
        )

    def take(self, document: Any) -> None:  # noqa: ANN401 - JSON is any
        """Count everything in a document."""
        config = document.get("generationConfig") or document.get("generation_config")
        if isinstance(config, dict):
            self._resolution = _resolution_of(config)
        values = 0
        waiting = [document]
        said = self._words
        while waiting:
            value = waiting.pop()
            values += 1
            if isinstance(value, str):
                said.append(value)
            elif isinstance(value, list):
                waiting += value
            elif isinstance(value, dict):
                if _SPECIAL.isdisjoint(value):  # nearly always
                    said += value
                    waiting += value.values()
                else:
                    waiting += self._members(value)
            elif isinstance(value, int | float):
                said.append(str(value))
        words = "".join(said)
        text = words.encode("utf-8", "surrogatepass")
        self.text += text_tokens(text) + _FOR_EACH * values
        ascii_ = len(text) if text.isascii() else len(text.translate(None, _NOT_ASCII))
        self.usual += -(-ascii_ // 4) + len(words) - ascii_

    def _members(self, value: Mapping[str, Any]) -> Iterator[Any]:
        """Count the media in an object; yield what is to be counted as text."""
        found = _inline(value)
        if found is not None:
            self._media(*found, value)
            return
        for name, member in value.items():
            if name in _REFERENCES and isinstance(member, str) and member:
                self._reference(value)
            elif name in _ELSEWHERE and member not in (None, "", False):
                self._add(UNSEEN)
            self._words.append(name)
            yield member

    def _add(self, tokens: int) -> None:
        self.text += tokens
        self.usual += tokens

    def _reference(self, value: Mapping[str, Any]) -> None:
        """Count a file that is named by its URI."""
        mime = _mime(value).partition("/")[0]
        if mime == "image":
            self.images += picture_tokens(None, self._resolution, older=self.older)
        elif mime == "audio":
            self.audio += UNSEEN
        elif mime == "video":
            self.video += UNSEEN
        else:
            self._add(UNSEEN)

    def _media(self, mime: str, data: str, value: Mapping[str, Any]) -> None:
        """Count a file in base64."""
        size = (len(data) - data[-2:].count("=")) * 3 // 4
        kind = mime.partition("/")[0]
        resolution = _resolution_of(value) or self._resolution
        if kind == "image":
            head = _bytes_of(data, _HEAD)
            self.images += picture_tokens(size_of(head), resolution, older=self.older)
        elif kind == "audio":
            self.audio += math.ceil(_seconds(mime, data, size, _AUDIO_BYTES) * AUDIO_SECOND)
        elif kind == "video":
            self.video += math.ceil(_seconds(mime, data, size, _VIDEO_BYTES) * VIDEO_SECOND)
        elif mime.endswith("/pdf"):
            self.images += _pages(data, size) * self._page(resolution)
        else:
            text = _bytes_of(data, len(data))
            self.text += text_tokens(text)
            self.usual += -(-len(text) // 4)

    def _page(self, resolution: str | None) -> int:
        if self.older:
            return PAGE
        return max(PAGE, _RESOLUTIONS.get(resolution or "", _USUAL_PAGE))


_REFERENCES = frozenset({"fileUri", "file_uri", "uri"})
_ELSEWHERE = frozenset(
    {
        *("cachedContent", "cached_content", "previous_interaction_id", "previousInteractionId"),
        *("urlContext", "url_context", "fileSearch", "file_search"),
    }
)
_SPECIAL = _REFERENCES | _ELSEWHERE | {"data", "url"}
"""Members of an object that is a file, or that names something elsewhere."""
_TYPES = {"image": "image/", "audio": "audio/", "video": "video/", "document": "application/pdf"}


def _inline(value: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the type and the base64 of an object that is a file, in any dialect."""
    data = value.get("data")
    if isinstance(data, str):
        mime = _mime(value)
        return (mime, data) if mime else None
    url = value.get("url")
    if isinstance(url, str) and url.startswith("data:"):
        head, _, data = url.partition(",")
        return head[5:].partition(";")[0].lower(), data
    return None


def _mime(value: Mapping[str, Any]) -> str:
    """Return the type of a file in lower case; OpenAI and interactions name it otherwise."""
    mime = look_up(dict(value), "mimeType")
    if isinstance(mime, str):
        return mime.lower()
    if isinstance(value.get("format"), str):  # input_audio of OpenAI
        return f"audio/{value['format']}"
    return _TYPES.get(str(value.get("type")), "")


def _resolution_of(value: Mapping[str, Any]) -> str | None:
    """Return ``low``, ``medium``, ``high`` or ``ultra_high`` where an object names a resolution."""
    named = look_up(dict(value), "mediaResolution") or value.get("resolution")
    if isinstance(named, dict):
        named = named.get("level")
    if not isinstance(named, str):
        return None
    plain = named.lower().removeprefix("media_resolution_")
    return plain if plain in _RESOLUTIONS else None


def _bytes_of(data: str, most: int) -> bytes:
    """Return the first bytes of base64, in either alphabet; what can be read of it."""
    head = data[: most - most % 4].rstrip("=").translate(_URL_SAFE)
    head += "=" * (-len(head) % 4)
    try:
        return b64decode(head)
    except (binascii.Error, ValueError):
        return b""


_URL_SAFE = str.maketrans("-_", "+/")


def _seconds(mime: str, data: str, size: int, rate: int) -> float:
    pcm = _PCM.search(mime)
    if pcm is not None:
        return size / (2 * max(int(pcm[1]), 1))
    found = seconds_of(_bytes_of(data, _HEAD), size)
    return size / rate if found is None else found


def _pages(data: str, size: int) -> int:
    """Return the pages of a PDF; of a large one only both ends are read, where its counts are."""
    if size <= 2 * _DOCUMENT:
        pages = pages_of(_bytes_of(data, len(data)))
    else:
        last = data[len(data) // 4 * 4 - _DOCUMENT :]
        pages = counted_pages(_bytes_of(data, _DOCUMENT) + _bytes_of(last, len(last)))
    return min(-(-size // _PAGE_BYTES), MOST_PAGES) if pages is None else pages


def _things(kind: Asking, document: Mapping[str, Any]) -> Billed:
    """Return the pictures, or the seconds of film, that a request asks for."""
    parameters = document.get("parameters")
    asked = parameters if isinstance(parameters, dict) else document
    instances = document.get("instances")
    each = len(instances) if isinstance(instances, list) and instances else 1
    count = _number(asked.get("sampleCount") or asked.get("n"), 0)
    if kind is Asking.PICTURES:
        return Billed(pictures=each * (count or (1 if asked is document else _PICTURES)))
    seconds = _number(asked.get("durationSeconds") or asked.get("seconds"), _VIDEO_SECONDS)
    return Billed(seconds=each * (count or 1) * seconds)


def _output(kind: Asking, document: Mapping[str, Any], default: int) -> int:
    """Return the most tokens of an answer, all candidates together.

    Of a number that is there in two spellings, the larger one counts: nobody says which is read.
    """
    openai = kind is Asking.OPENAI
    configs = [document] if openai else [document.get(name) for name in _CONFIGS]
    read = [config for config in configs if isinstance(config, dict)]
    limits = [_number(config.get(name), 0) for config in read for name in _LIMITS]
    several = ("n",) if openai else _CANDIDATES
    counts = [_number(config.get(name), 1) for config in read for name in several]
    return (max(limits, default=0) or default) * max(counts, default=1)


def _number(value: object, default: int) -> int:
    """Return a count that JSON may write as a number or, as protobuf allows, as a string."""
    if isinstance(value, str) and value.isascii():
        value = int(value[:12]) if value.isdecimal() else _float(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (
        value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default
    )


def _float(text: str) -> float:
    """Return the number in a text, as protobuf reads ``1e5``; 0 for none."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _parsed(body: bytes | None) -> dict[str, Any] | None:
    """Return the document of a body, None if it is not a JSON object that can be read."""
    if not body:
        return None
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return None
    return document if isinstance(document, dict) else None
