"""Pictures, sound, video and files that a request holds or names, as parts of a Gemini request.

A data URL or plain base64 becomes inlineData in standard base64, of the type that its bytes show. A
URL becomes inlineData if it was fetched for this request, and fileData if it names what Gemini
itself reads: its Files API, YouTube, Cloud Storage. Any other URL is refused.
"""

import base64
import re
from collections.abc import Mapping
from urllib.parse import unquote

import attrs

from gemproxy.core.picture import Picture
from gemproxy.openai.fields import Json
from gemproxy.openai.sniffing import Untaken, media_type, sniffed, type_by_name

_HOST = "https://generativelanguage.googleapis.com"
FILES = f"{_HOST}/v1beta/"
"""The address below which Gemini's own files have their names, as in ``files/abc``."""
_FILE_PATH = re.compile(r"/(?:v[0-9a-z]+/)?files/[\w-]+")
_YOUTUBE = re.compile(
    r"https?://(?:(?:www|m|music)\.)?(?:youtube\.com/(?:watch\?|shorts/|live/|embed/)|youtu\.be/)\S+",
    re.IGNORECASE,
)
_STORAGE = re.compile(r"gs://[^/\s]+/\S+")
_FILE_NAME = re.compile(r"files/[\w-]+")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_DATA_URL = re.compile(r"(?:data:([^,]*),\s*)+", re.IGNORECASE)
"""Some clients put the head in front of what has one already; the last one counts."""
_IN_BASE64 = re.compile(r";\s*base64", re.IGNORECASE)
_PLAIN = str.maketrans("-_", "+/")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_GROUP = 4  # characters of base64 that are three bytes
_MOST_PADDING = 2
_FIRST = 64  # characters that are enough to see a type


@attrs.frozen
class Named:
    """A file as a part of a message gives it.

    ``source`` is a URL, a data URL, base64 or the name of a file of Gemini's; ``mime`` and
    ``filename`` are what the client calls it, if it does.
    """

    source: str = attrs.field(repr=False)
    mime: str = ""
    filename: str = ""


@attrs.frozen
class Files:
    """The files that stand behind URLs.

    ``fetched`` has the pictures that were fetched for the request, and kept ones that it names.
    ``bases`` are the addresses (without a slash at the end) below which Gemini's files are, besides
    Google's own one: the upstream's, and this proxy's as the client knows it.
    """

    fetched: Mapping[str, Picture] = attrs.field(factory=dict, repr=False)
    bases: tuple[str, ...] = ()

    def part(self, named: Named) -> Json:
        """Return the part for a file; raise Untaken with the reason if there is none."""
        source = named.source.strip()
        if self.has(source):
            return _pointer(source, named)
        found = self.fetched.get(source) if self.fetched else None
        if found is not None:
            return _inline(found.mime, base64.b64encode(found.data).decode())
        if _WEB.match(source):
            raise Untaken(
                "names a file by its URL: this proxy fetches pictures only, and these only if its"
                " setting openai.fetch_images is on"
            )
        return _given(source, named)

    def is_web(self, source: str) -> bool:
        """Return whether a source is an http(s) URL that Gemini does not read itself."""
        return bool(_WEB.match(source)) and not self.has(source)

    def has(self, source: str) -> bool:
        """Return whether Gemini reads a source itself."""
        if any(kind.fullmatch(source) for kind in (_YOUTUBE, _STORAGE, _FILE_NAME)):
            return True
        return any(
            source.startswith(f"{base}/") and _FILE_PATH.fullmatch(source, len(base))
            for base in (_HOST, *self.bases)
        )


def standard(text: str) -> str | None:
    """Return base64 as clients write it in its standard form; None for what is none.

    Taken besides the standard form: its URL-safe alphabet, line breaks, percent-encoding, and
    missing padding.
    """
    if _is_standard(text):
        return text
    plain = unquote(text) if "%" in text else text
    plain = "".join(plain.split()).translate(_PLAIN).rstrip("=")
    plain += "=" * (-len(plain) % _GROUP)
    return plain if _is_standard(plain) else None


def _is_standard(text: str) -> bool:
    """Return whether a text is padded base64: the fastest check that Python has for megabytes."""
    if not text or len(text) % _GROUP or not text.isascii():
        return False
    data = text.encode("ascii")
    body = data.rstrip(b"=")
    return len(data) - len(body) <= _MOST_PADDING and not body.translate(None, _ALPHABET)


def _inline(mime: str, data: str) -> Json:
    return {"inlineData": {"mimeType": mime, "data": data}}


def _given(source: str, named: Named) -> Json:
    """Return the part for a file whose bytes are in the request."""
    head = _DATA_URL.match(source)
    if head is None and source[:5].lower() == "data:":
        raise Untaken("is a data URL without data")
    if head is not None and not _IN_BASE64.search(head[1]):
        raise Untaken("is a data URL that is not in base64")
    data = standard(source[head.end() :] if head else source)
    if data is None and head is not None:
        raise Untaken("is not base64, or is empty")
    first = base64.b64decode(data[:_FIRST]) if data else b""
    seen = bool(sniffed(first))
    if data is None or not (seen or head is not None or named.mime or named.filename):
        raise Untaken("is no URL, and no base64 of a type that is known")
    mime = (head[1] if head else "") or named.mime
    return _inline(
        media_type(first if seen else base64.b64decode(data), mime, named.filename), data
    )


def _pointer(source: str, named: Named) -> Json:
    uri = FILES + source if _FILE_NAME.fullmatch(source) else source
    kind = type_by_name(named.filename or source, named.mime)
    return {"fileData": {"fileUri": uri, **({"mimeType": kind} if kind else {})}}
