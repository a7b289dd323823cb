"""Links to the pictures that this proxy keeps, in the messages of a chat request.

An answer may have shown a picture by a link, and clients send it back with the history. The model
can read no link of ours, so the picture itself goes up in its place. Links are found in

    parts that show a picture, and ``images``     by their URL
    texts of the user's and of the model's        as Markdown pictures, or alone between spaces

and are either URLs or the bare path, ``/images/NAME``. Other links in a text stay: the picture
would tear them apart, and Markdown that leads to a page wants no picture.

A link whose picture cannot be had becomes, or stays, a text. A link to another host that only looks
like ours is left to what else is done with URLs, unless its picture is here.
"""

import re
from collections.abc import Collection, Iterator, Mapping

import attrs

from gemproxy.core.picture import Picture
from gemproxy.openai.content import PICTURES, file_of
from gemproxy.openai.fields import Json

_TEXTS = ("text", "input_text", "output_text")
_SPEAKERS = ("user", "assistant")
_UNREAD = ("system", "developer")
"""Roles that may say nothing but text."""

_OUTSIDE = re.compile(r"[\s()<>\"'`\[\]{}|\\^]")
"""Characters that are in no URL."""
_QUERY = r"(?:[?#][^\s()<>\"'`\[\]{}|\\^]*)?"
_WEB = re.compile(r"https?://[^/]", re.IGNORECASE)
_CLOSING = re.compile(r">?\s{0,9}(?:\"[^\"]{0,200}\"|'[^']{0,200}')?\s{0,9}\)")
"""What ends a Markdown picture behind its URL: it may have a title."""
_LONGEST = 2048
"""The most characters of a URL in front of the folder."""
_LONGEST_URL = 8192
_MOST_WORDS = 1000
"""The most characters of a Markdown picture in front of its URL."""


@attrs.frozen
class Link:
    """A link in a text: its place, with the Markdown around it; its URL, and the picture's name.

    ``ours``: it leads to nobody else.
    """

    start: int
    end: int
    url: str
    name: str
    ours: bool


@attrs.frozen
class Own:
    """Which URLs lead to our pictures.

    ``names`` is a regular expression for one name. It stands in the folder "gemproxy" of a store,
    or below "/images/" under one of ``bases`` (our base URLs; None: under any).
    """

    names: str
    bases: tuple[str, ...] | None = None
    _found: re.Pattern[str] = attrs.field(init=False, repr=False)

    @_found.default
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(rf"/(images|gemproxy)/({self.names})(?![\w.-]*\w){_QUERY}")

    def link(self, url: str) -> Link | None:
        """Return the link that a URL is, None if it is no link to a picture of ours."""
        if len(url) > _LONGEST_URL:  # a data URL, as a rule
            return None
        found = self._found.search(url)
        if found is None or found.end() != len(url):
            return None
        return self._link(found, url[: found.start()], 0, found.end())

    def in_text(self, text: str) -> Iterator[Link]:
        """Yield the links of a text that a picture may replace."""
        done = behind = 0
        for found in self._found.finditer(text):
            window = text[max(behind, found.start() - _LONGEST) : found.start()]
            behind = found.end()
            base = _OUTSIDE.split(window)[-1]
            place = _place(text, found.start() - len(base), found.end(), done)
            link = self._link(found, base, *place) if place else None
            if link is not None:
                yield link
                done = link.end

    def _link(self, found: re.Match[str], base: str, start: int, end: int) -> Link | None:
        if base and not _WEB.match(base):
            return None
        ours = not base or found[1] == "gemproxy" or self.bases is None or base in self.bases
        return Link(start, end, base + found[0], found[2], ours)


def _place(text: str, start: int, end: int, done: int) -> tuple[int, int] | None:
    """Return where a picture may stand for the URL from ``start`` to ``end``, None for nowhere."""
    before = start - 1 if text[start - 1 : start] == "<" else start
    if text[max(before - 2, 0) : before] == "](":
        closing = _CLOSING.match(text, end)
        opening = text.rfind("![", max(done, before - _MOST_WORDS), before - 2)
        if closing is None or opening < 0 or "]" in text[opening : before - 2]:
            return None
        return opening, closing.end()
    alone = not text[start - 1 : start].strip() if start else True
    return (start, end) if alone and not text[end : end + 1].strip() else None


@attrs.frozen
class Recall:
    """The messages of one request, and whose links turn into pictures.

    ``every``: those of all messages, else those of the newest one that has any.
    """

    messages: object = attrs.field(repr=False)
    own: Own
    every: bool = False

    def names(self) -> list[str]:
        """Return the names of the pictures that are wanted, the newest message's first.

        A name stands there as often as its picture is shown.
        """
        return [link.name for _, links in self._wanted() for link in links]

    def shown(self, pictures: Mapping[str, Picture]) -> tuple[object, dict[str, Picture]]:
        """Return the messages with parts for these pictures (by name), and the pictures by URL."""
        if not isinstance(self.messages, list):
            return self.messages, {}
        wanted = dict(self._wanted())
        by_url = {
            link.url: pictures[link.name]
            for links in wanted.values()
            for link in links
            if link.name in pictures
        }
        messages = [
            _Rewriting(self.own, by_url if number in wanted else ()).message(message)
            for number, message in enumerate(self.messages)
        ]
        return messages, by_url

    def _wanted(self) -> Iterator[tuple[int, list[Link]]]:
        messages = self.messages if isinstance(self.messages, list) else []
        for number in reversed(range(len(messages))):
            links = list(_links_of(messages[number], self.own))
            if links:
                yield number, links
                if not self.every:
                    return


def _links_of(message: object, own: Own) -> Iterator[Link]:
    """Yield the links of one message."""
    if not isinstance(message, dict) or message.get("role") in _UNREAD:
        return
    content = message.get("content")
    for given in [content] if isinstance(content, str) else _listed(content):
        text = _text_of(given)
        if text is not None and message.get("role") in _SPEAKERS:
            yield from own.in_text(text)
        yield from _shown_by(given, own)
    for given in _listed(message.get("images")):
        yield from _shown_by(given, own)


def _shown_by(given: object, own: Own) -> Iterator[Link]:
    """Yield the link of a part that shows a picture, if it has one."""
    file = file_of(given)
    if file is not None and file.kind in PICTURES:
        link = own.link(file.named.source.strip())
        if link is not None:
            yield link


@attrs.frozen
class _Rewriting:
    """Makes messages whose links to ``known`` URLs are parts that show pictures."""

    own: Own
    known: Collection[str]

    def message(self, message: object) -> object:
        if not isinstance(message, dict) or message.get("role") in _UNREAD:
            return message
        content, speaks = message.get("content"), message.get("role") in _SPEAKERS
        changed: Json = {}
        if isinstance(content, list):
            changed["content"] = [new for one in content for new in self._part(one, speaks=speaks)]
        elif isinstance(content, str) and speaks and (parts := self._text(content)):
            changed["content"] = parts
        if isinstance(images := message.get("images"), list):
            changed["images"] = [
                new for one in images for new in self._part(one, beside=str(content))
            ]
        return {**message, **changed} if changed else message

    def _part(self, given: object, *, speaks: bool = False, beside: str = "") -> list[object]:
        """Return what stands for one part; a link that ``beside`` has, too, is not told twice."""
        text = _text_of(given)
        if text is not None:
            return [*(self._text(text) if speaks else ())] or [given]
        lost = [link for link in _shown_by(given, self.own) if link.ours]
        if not lost or lost[0].url in self.known:
            return [given]
        return [] if lost[0].url in beside else [_said(lost[0].url)]

    def _text(self, text: str) -> list[Json]:
        """Return a text as parts, none if it has no such link."""
        parts: list[Json] = []
        done = 0
        if not self.known:
            return []
        for link in self.own.in_text(text):
            if link.url in self.known:
                parts += [*_between(text[done : link.start]), _picture(link.url)]
                done = link.end
        return parts + _between(text[done:]) if parts else []


def _between(text: str) -> list[Json]:
    return [_said(text)] if text.strip() else []


def _said(text: str) -> Json:
    return {"type": "text", "text": text}


def _picture(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def _text_of(given: object) -> str | None:
    """Return the text of a part, None if it is none."""
    if isinstance(given, str):
        return given
    if not isinstance(given, dict) or given.get("type") not in _TEXTS:
        return None
    text = given.get("text")
    return text if isinstance(text, str) else None


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
