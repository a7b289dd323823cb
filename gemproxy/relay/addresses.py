r"""The URIs of files: Google's for the upstream, ours for the client.

Gemini identifies files by absolute URIs on its own host (``file.uri``, ``downloadUri``,
``video.uri``, the results of operations). A client that GETs one bypasses the proxy, and fails if
the proxy knows its key and Google does not. So URIs on the upstream's base are replaced by ours in
answers, and ours by Google's in requests.

In answers this happens only if our base is https: google-genai recognises a URI as a file's name
only if it begins with ``https://`` and contains ``files/<id>``, so an http URI would break
``files.download``, and an id must never change. In requests both kinds are always accepted.

A body is edited as bytes, and only inside the string of a URI. The place identifies such a string:
the API names files as ``File``, ``FileData``, in the results of operations and in the content of
interactions. Arguments and responses of functions are the client's own, whatever their names: each
name on the way to a URI must be one of the API's containers.
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
"""Largest body (bytes) that is held back and searched for URIs."""

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
"""The names on the way to the URI of a file; their content is never the client's own."""
_NAMES_FILES = re.compile(r"/(?:files|generatedFiles|operations|interactions)(?:[/:]|$)|/upload/")
_DOWNLOADS = re.compile(r":download$|(?:^|[?&])(?:%24|\$)?alt=media(?:&|$)")
_HOST = re.compile(r"[A-Za-z0-9._\-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")


@attrs.frozen
class Addresses:
    """The upstream's base URL, and ours as one client knows it; both without a slash at the end.

    ``ours`` is None if it is unknown. ``also_ours`` are the bases that are accepted in requests.
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

    ``public_url`` is our base in the settings. Without it the base comes from the client: its Host,
    and https if a terminator of TLS sends X-Forwarded-Proto. The first value of a list, or of
    several headers, counts, because the proxy next to the client adds it. The header is trusted
    although any client can send it, because it changes only the answer to that client.
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
    """Return, by a cheap test, whether a body may contain a URI to edit."""
    return mentions(body, b'Uri"', b'uri"')


def names_files(raw_target: str) -> bool:
    """Return whether the JSON answer to a request may contain URIs of files."""
    path = raw_target.partition("?")[0]
    return bool(_NAMES_FILES.search(path)) and not downloads(raw_target)


def downloads(raw_target: str) -> bool:
    """Return whether a request asks for the content of a file."""
    path, _, query = raw_target.partition("?")
    return bool(_DOWNLOADS.search(path) or _DOWNLOADS.search(query))


def _edited(body: bytes, bases: tuple[str, ...], edit: Callable[[str], str]) -> bytes | None:
    """Return ``body`` with its URIs edited, or None; most bodies contain none of the hosts."""
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
