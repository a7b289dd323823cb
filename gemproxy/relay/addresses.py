r"""The URIs of files: Google's for the upstream, ours for the client.

Gemini names files by absolute URIs on its own host (``file.uri``, ``downloadUri``,
``video.uri``, the results of operations). A client that GETs one goes past the proxy, and
with a key that the proxy knows and Google does not, it fails. So URIs on the upstream's base
become URIs on ours on the way down, and ours become Google's on the way up.

Downwards only when our base is https: google-genai takes a URI for a file's name only when
it begins with ``https://`` and holds ``files/<id>``, so an http URI would break
``files.download``, and an id must never change. Upwards both kinds are understood always.

A body is edited as bytes, inside the string of the URI and nowhere else. Such a string is known
by its place: the API names files as ``File``, ``FileData``, in the results of operations and in
the content of interactions. What a function is called with, or answers, is the client's own,
whatever its names: each name on the way to a URI has to be one of the API's containers.
"""

import json
import re
from collections.abc import Callable, Mapping

import attrs
from yarl import URL

from gemproxy.core.repair.request import mentions
from gemproxy.core.wire.members import string_members
from gemproxy.exchange.credential import without_credential

LIMIT = 1 << 20
"""Largest body (bytes) that is held back so that URIs can be looked for in it."""

_URIS = frozenset({b"uri", b"fileUri", b"file_uri", b"downloadUri", b"download_uri"})
_CONTAINERS = frozenset(
    b"""
    file files generatedFile generatedFiles fileData file_data
    contents content parts systemInstruction system_instruction
    request requests generateContentRequest generate_content_request batch
    inputConfig input_config cachedContent cached_content
    operations response generateVideoResponse generate_video_response
    generatedSamples generated_samples generatedVideos generated_videos
    instances image images video videos lastFrame last_frame referenceImages reference_images
    interaction interactions input output outputs step steps turns delta
    """.split()
)
"""The names on the way to the URI of a file; within them nothing is the client's own."""
_NAMES_FILES = re.compile(r"/(?:files|generatedFiles|operations|interactions)(?:[/:]|$)|/upload/")
_DOWNLOADS = re.compile(r":download$|(?:^|[?&])(?:%24|\$)?alt=media(?:&|$)")
_HOST = re.compile(r"[A-Za-z0-9._\-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")


@attrs.frozen
class Addresses:
    """The upstream's base URL, and ours as one client knows it; both without a slash at the end.

    ``ours`` is None where it cannot be told. ``also_ours`` are bases that are understood in
    what the client sends.
    """

    upstream: str
    ours: str | None
    also_ours: tuple[str, ...] = ()

    def outward(self, body: bytes) -> bytes | None:
        """Return an answer's body with our URIs and without keys; None when nothing changes."""
        return _edited(body, (self.upstream,), self._outward)

    def _outward(self, uri: str) -> str:
        if not uri.startswith(f"{self.upstream}/"):
            return uri
        own = self.ours if self.ours and self.ours.startswith("https://") else self.upstream
        return without_credential(_moved(uri, self.upstream, own))

    def inward(self, body: bytes) -> bytes | None:
        """Return a request's body with Google's URIs; None when nothing changes."""
        return _edited(body, self.also_ours, self._inward)

    def _inward(self, uri: str) -> str:
        for base in self.also_ours:
            if uri.startswith(f"{base}/"):
                return without_credential(_moved(uri, base, self.upstream))
        return uri

    def location(self, location: str) -> str:
        """Return a redirect for the client: on our base when it was on the upstream's."""
        ours = self.upstream if self.ours is None else self.ours
        return without_credential(_moved(location, self.upstream, ours))


def addresses(upstream: URL, public_url: str, scheme: str, headers: Mapping[str, str]) -> Addresses:
    """Return the addresses for a client that came by ``scheme`` with these ``headers``.

    ``public_url`` is the operator's word for our base. Without it the base is what the client
    wrote: its Host, and https where a terminator of TLS says so in X-Forwarded-Proto. Of a list,
    or of several headers, the first word counts: it is of the proxy that the client came to. That
    header is believed although anybody can send it, because the answer to whoever sends it is
    all that it changes.
    """
    host = headers.get("Host", "")
    secure = headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower() == "https"
    derived = tuple(f"{name}://{host}" for name in ("https", "http") if _HOST.fullmatch(host))
    named = public_url.rstrip("/")
    by_host = next((base for base in derived if base.startswith(f"{scheme}:")), None)
    if secure and derived:
        by_host = derived[0]
    return Addresses(
        upstream=f"{upstream.origin()}{upstream.raw_path.rstrip('/')}",
        ours=named or by_host,
        also_ours=(named, *derived) if named else derived,
    )


def may_hold_uris(body: bytes) -> bool:
    """Tell cheaply whether a body may hold a URI that ``Addresses`` would edit."""
    return mentions(body, b'Uri"', b'uri"')


def names_files(raw_target: str) -> bool:
    """Tell a request whose JSON answer may hold the URIs of files."""
    path = raw_target.partition("?")[0]
    return bool(_NAMES_FILES.search(path)) and not downloads(raw_target)


def downloads(raw_target: str) -> bool:
    """Tell a request for the content of a file."""
    path, _, query = raw_target.partition("?")
    return bool(_DOWNLOADS.search(path) or _DOWNLOADS.search(query))


def _edited(body: bytes, bases: tuple[str, ...], edit: Callable[[str], str]) -> bytes | None:
    """Return ``body`` with its URIs edited, or None; the look for hosts spares most bodies."""
    if not any(_authority(base) in body for base in bases):
        return None
    pieces: list[bytes] = []
    at = 0
    for member in string_members(body, _URIS):
        edited = _edited_string(body[member.start : member.end], edit)
        if edited is not None and _CONTAINERS.issuperset(member.names[:-1]):
            pieces += (body[at : member.start], edited)
            at = member.end
    return b"".join([*pieces, body[at:]]) if pieces else None


def _edited_string(text: bytes, edit: Callable[[str], str]) -> bytes | None:
    """Return the JSON of a string that ``edit`` changes, or None."""
    try:
        uri = json.loads(text)
    except ValueError:
        return None
    edited = edit(uri) if isinstance(uri, str) else uri
    return None if edited == uri else json.dumps(edited).encode()


def _authority(base: str) -> bytes:
    return base.partition("://")[2].partition("/")[0].encode()


def _moved(uri: str, source: str, goal: str) -> str:
    return goal + uri.removeprefix(source) if uri.startswith(f"{source}/") else uri
