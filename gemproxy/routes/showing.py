"""Pictures by links: those that a chat's messages name, and those of its answer.

A message names a picture by a URL, which is fetched, or by a link to one that we keep, which is
taken from the store. A picture of the answer is kept before its frame is translated, so that the
translator, which is pure, finds the link. A picture to be changed may be a kept one, too.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping

import attrs
from aiohttp import web

from gemproxy.access.models import require
from gemproxy.accounts.user import OWN
from gemproxy.core.picture import Picture
from gemproxy.core.repair.events import Frames, Out
from gemproxy.generation.preparing import PreparedReader
from gemproxy.generation.reader import Reader
from gemproxy.images import names
from gemproxy.images.recalling import recall
from gemproxy.images.shelf import StoreDown
from gemproxy.images.store import NotKept, PictureStore
from gemproxy.openai.answer import Answer
from gemproxy.openai.choice import document_of, pictures_in
from gemproxy.openai.content import links
from gemproxy.openai.fields import Json
from gemproxy.openai.media import Files
from gemproxy.openai.recall import Own, Recall
from gemproxy.openai.request import Ways, choose
from gemproxy.routes.addressing import addresses_of
from gemproxy.routes.parts import PICTURE_STORE, PICTURES, USER

_INLINE = b"inlineData"


async def named(request: web.Request, document: Json, ways: Ways) -> tuple[Json, Files]:
    """Return a chat request whose links to kept pictures are shown, and the files behind URLs.

    Raises BadField for a URL that cannot be fetched; a kept picture that is gone is no error.
    """
    app, known = request.app, addresses_of(request)
    bases = (known.upstream, *known.also_ours)
    pictures: Mapping[str, Picture] = {}
    if PICTURE_STORE in app:
        document, pictures = await _recalled(request, document, ways)
    if PICTURES in app:
        found = links(document.get("messages"), bases)
        wanted = {field: url for field, url in found.items() if url not in pictures}
        if wanted:
            _check(request, document, ways)
            pictures = {**pictures, **await app[PICTURES].fetch(wanted)}
    return document, Files(pictures, bases)


async def _recalled(
    request: web.Request, document: Json, ways: Ways
) -> tuple[Json, Mapping[str, Picture]]:
    asked = Recall(document.get("messages"), Own(names.PATTERN, _bases(request)), ways.recalls_all)
    wanted = asked.names()
    if not wanted:
        return document, {}
    _check(request, document, ways)
    messages, pictures = asked.shown(await recall(request.app[PICTURE_STORE], wanted))
    return {**document, "messages": messages}, pictures


async def kept(request: web.Request, urls: Iterable[str]) -> Mapping[str, Picture]:
    """Return the kept pictures that some URLs lead to; one that is gone is left out."""
    if PICTURE_STORE not in request.app:
        return {}
    own = Own(names.PATTERN)
    found = [link for url in urls if (link := own.link(url)) is not None]
    pictures = await recall(request.app[PICTURE_STORE], [link.name for link in found])
    return {link.url: pictures[link.name] for link in found if link.name in pictures}


def _bases(request: web.Request) -> tuple[str, ...] | None:
    """Return our bases in links; None for any: who fetches nothing has no use for others' links."""
    if PICTURES not in request.app:
        return None
    known = addresses_of(request)
    bases = (request.app[PICTURE_STORE].base, known.ours or "", *known.also_ours)
    return tuple(base.rstrip("/") for base in bases if base)


def _check(request: web.Request, document: Json, ways: Ways) -> None:
    """Raise what a request gets whose user may not ask its model, before work is done for it."""
    require(request.get(USER, OWN), choose(document, ways).model)


def keeping(request: web.Request, reader: Reader, answer: Answer) -> Reader:
    """Return the reader of an answer whose pictures are kept before it takes their frames."""
    app = request.app
    base = addresses_of(request).ours or ""
    keeper = _Keeper(app[PICTURE_STORE], base, answer)
    return PreparedReader(reader, has_data, keeper.keep)


def has_data(out: tuple[Out, ...]) -> bool:
    """Return whether frames may show a picture: large ones, and any that says so.

    A run of plain events shows none.
    """
    frames = (frame for one in out if isinstance(one, Frames) for frame in one.frames)
    return any(
        isinstance(data := frame.data, memoryview) or _INLINE in (data or b"") for frame in frames
    )


@attrs.frozen
class _Keeper:
    """Keeps the pictures of one answer; ``base`` is our base URL as its client knows it."""

    store: PictureStore
    base: str
    answer: Answer

    async def keep(self, out: tuple[Out, ...]) -> None:
        """Keep the pictures of frames; one that cannot be kept gets no link."""
        for one in out:
            for frame in one.frames if isinstance(one, Frames) else ():
                for data in pictures_in(document_of(frame.data)):
                    url = await self._link(data)
                    if url:
                        self.answer.links.setdefault(data, []).append(url)

    async def _link(self, data: str) -> str:
        try:
            picture = base64.b64decode(data, altchars=b"-_" if "-" in data or "_" in data else None)
            kept = await self.store.put(picture, self.base)
        except (binascii.Error, ValueError, StoreDown, NotKept):
            return ""
        return kept.url
