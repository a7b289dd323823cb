"""Lists of what one access key owns: which requests ask for one, and how its pages are made.

Google lists what a project has, and a project has things of several access keys. So a list is
asked for project by project, and only entries that the caller owns are kept. A page for the client
can hold entries of several pages of the upstream's, and of several projects.

A page is filled up to the size that the client asks for, and the next page is announced only when
it has an entry: the pagers of google-genai raise IndexError at an empty page.

*Google's lists* go on with a token. Ours is sealed: it holds the place where the next page begins
(a project, the upstream's token, and which entries of that page were given), and the caller and the
filters for which it was made. Given entries are remembered by a hash and not by their number,
because clients delete what they list while they list it. An upstream's page is cut only while this
memory fits into a URL; after that the rest of it is given in one longer page.

*OpenAI's lists* go on behind an id (``after``), whose owner is known, so no token is needed.
"""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Self
from urllib.parse import quote, unquote

import attrs
from cryptography.fernet import Fernet, InvalidToken

from gemproxy.core.errors import BadRequest
from gemproxy.exchange.names import bound_names

Json = dict[str, Any]

_VERSION = re.compile(r"v\d\w*")
_WORD = re.compile(r"[A-Za-z]\w*")

_NAMED = frozenset(
    {
        "batches",
        "cachedContents",
        "corpora",
        "fileSearchStores",
        "files",
        "generatedFiles",
        "operations",
        "tunedModels",
    }
)
"""Collections whose entries have a ``name`` with the collection in it."""
_NUMBERED = frozenset(
    {"agents", "credentials", "environments", "interactions", "triggers", "voices", "webhooks"}
)
"""The newer collections: snake_case, and entries that have an ``id``."""
_OF_OPENAI = frozenset({"batches", "files", "videos"})
_OF_A_MODEL = "operations"
_OF_NOBODY = frozenset({"models"})

_MEMBERS = {"batches": "operations"}
"""Collection -> the member of the answer with its entries, where it has another name."""
_LARGEST = {"cachedContents": 100, "corpora": 20, "fileSearchStores": 20, "files": 100}
"""Entries that may be asked for at once, from Google's reference; more are an error for some."""
_USUAL = {"corpora": 10, "fileSearchStores": 10, "files": 10}
_USUAL_ELSEWHERE = 50
"""Entries on a page whose size the client leaves open."""

_SIZES = frozenset({"pageSize", "page_size"})
_TOKENS = frozenset({"pageToken", "page_token"})
_OF_THE_FORM = frozenset({"alt", "callback", "key", "access_token", "oauth_token", "prettyPrint"})
"""Parameters that change the form of an answer or name its reader, but not its entries."""

_GIVEN_LIMIT = 150
"""Entries of one page that a token remembers; the token is then about 2,700 characters long."""
_HASH_BYTES = 6
_MOST_QUESTIONS = 100
"""Pages of the upstream's that are asked for to fill one page of the client's that has entries."""
_MOST_IN_ALL = 2_000
"""Pages that are asked for in any case; an upstream whose list has no end is then left."""


@attrs.frozen
class Listing:
    """A list: its ``collection``, and the model below which operations are listed.

    ``openai``: in the form of OpenAI's API.
    """

    collection: str
    model: str = ""
    openai: bool = False

    @property
    def member(self) -> str:
        """The member of an answer that has the entries."""
        return "data" if self.openai else _MEMBERS.get(self.collection, self.collection)

    @property
    def size_names(self) -> frozenset[str]:
        """The names of the parameter for the size of a page."""
        return frozenset({"limit"}) if self.openai else _SIZES

    @property
    def place_names(self) -> frozenset[str]:
        """The names of the parameter for the place of a page."""
        return frozenset({"after"}) if self.openai else _TOKENS

    @property
    def snake(self) -> bool:
        """Whether the list is one of the newer ones, which have snake_case names and ids."""
        return self.collection in _NUMBERED

    def name_of(self, entry: Json) -> str:
        """Return the name under which the owner of an entry is recorded; empty if it has none."""
        key = entry.get("id" if self.openai or self.snake else "name")
        if not isinstance(key, str) or not key:
            return ""
        found = bound_names(f"/{key}")
        return found[-1] if found else f"{self.collection}/{key.rpartition('/')[2]}"


@attrs.frozen
class Unlisted:
    """A list of a collection of which nothing is known."""

    collection: str


def listing_of(path: str) -> Listing | Unlisted | None:
    """Return the list that a GET of a decoded path asks for; None if it asks for no list.

    A list below an owned name (``fileSearchStores/x/documents``) is none of these: all of it
    belongs to the owner of that name. Nor is the list of models, which belongs to nobody. In
    OpenAI's layer everything else that names nothing is a list.
    """
    pieces = [piece for piece in path.split("/") if piece]
    before, collection = pieces[:-1], pieces[-1] if pieces else ""
    if bound_names(path) or before[-1:] == ["models"]:
        return None
    openai = before[-1:] == ["openai"]
    if before[-2:-1] == ["models"]:
        return Listing(collection, "/".join(before[-2:])) if collection == _OF_A_MODEL else None
    if collection in (_OF_OPENAI if openai else _NAMED | _NUMBERED):
        return Listing(collection, openai=openai)
    if collection in _OF_NOBODY or "models" in before:
        return None
    unknown = _VERSION.fullmatch("".join(before[-1:])) and _WORD.fullmatch(collection)
    return Unlisted(collection) if unknown or "openai" in before else None


@attrs.frozen
class Question:
    """What a client asks of a list: a page of ``size`` entries, None for the usual number.

    ``place`` is its token, or OpenAI's ``after``; empty for the first page. ``others`` are the
    pairs of its query that go up unchanged, encoded as they came.
    """

    listing: Listing
    size: int | None
    place: str
    others: tuple[str, ...]

    @classmethod
    def of(cls, listing: Listing, raw_query: str) -> Self:
        """Return the question in a query. A size that is none goes up for Google's own answer."""
        others: list[str] = []
        size, place = None, ""
        for pair in filter(None, raw_query.split("&")):
            name, value = _plain(pair)
            if name in listing.place_names:
                place = place or value
            elif name in listing.size_names and re.fullmatch(r"\d{1,9}", value):
                size = size or int(value) or None
            elif name not in _OF_THE_FORM:
                others.append(_with_names(pair, name, listing))
        return cls(listing, size, place, tuple(others))

    @property
    def wanted(self) -> int:
        """The entries on a page."""
        return self.size or _USUAL.get(self.listing.collection, _USUAL_ELSEWHERE)

    def query(self, place: "Place") -> str:
        """Return the query with which the upstream is asked for its page at ``place``."""
        listing, pairs = self.listing, list(self.others)
        largest = None if listing.openai else _LARGEST.get(listing.collection)
        size = largest or (self.size and min(self.size, _GIVEN_LIMIT))
        if size:
            pairs.append(f"{_spelt(listing, 'limit', 'pageSize')}={size}")
        if place.token:
            token = quote(place.token, safe="")
            pairs.append(f"{_spelt(listing, 'after', 'pageToken')}={token}")
        return "&".join(pairs)

    def scope(self, caller: str) -> str:
        """Return a hash of what a token of this list is good for."""
        filters = sorted(pair for pair in self.others if not _plain(pair)[0].startswith("fields"))
        what = [caller, self.listing.collection, self.listing.model, filters]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


@attrs.frozen
class Place:
    """Where a page begins: a project, and its page of the upstream's; empty for the first ones.

    ``given`` has the hashes of the entries of that page that the client has.
    """

    project: str = ""
    token: str = ""
    given: frozenset[str] = frozenset()


@attrs.frozen(eq=False)
class PageTokens:
    """Seals places into tokens and opens them again; ``key`` is one of Fernet's."""

    _fernet: Fernet = attrs.field(alias="key", converter=Fernet, repr=False)

    def seal(self, place: Place, scope: str) -> str:
        """Return a place as a token that is good for ``scope``."""
        parts = [scope, place.project, place.token, "".join(sorted(place.given))]
        return self._fernet.encrypt(json.dumps(parts).encode()).decode("ascii").rstrip("=")

    def open(self, token: str, scope: str) -> Place:
        """Return the place in a token. Raises BadRequest for one of another ``scope``."""
        try:
            padded = token + "=" * (-len(token) % 4)
            opened = json.loads(self._fernet.decrypt(padded.encode("utf-8", "replace")))
        except (InvalidToken, ValueError):
            opened = [None]
        if opened[0] != scope:
            raise BadRequest("The page token is not valid for this list.")
        _, project, upstream, given = opened
        length = len(_hash(""))
        hashes = (given[at : at + length] for at in range(0, len(given), length))
        return Place(project, upstream, frozenset(hashes))


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


@attrs.define(eq=False)
class Page:
    """One page for the client in the making.

    ``projects`` are those that may have something of the caller's. While ``at`` is not None and
    ``whole`` is False, the upstream's page at ``at`` is wanted; ``take`` takes it.
    """

    question: Question
    projects: Sequence[str] = attrs.field(converter=_sorted)
    at: Place | None
    entries: list[Json] = attrs.field(factory=list, init=False)
    whole: bool = attrs.field(default=False, init=False)
    _questions: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        if self.at is not None and self.at.project not in self.projects:
            self.at = self._behind(self.at.project)  # all of that project's keys have gone

    @property
    def asks(self) -> Place | None:
        """The upstream's page that is wanted next; None when the page is complete."""
        return None if self.whole else self.at

    def ahead(self, count: int) -> list[Place]:
        """Return pages that are probably wanted next: the first ones of the next projects.

        None before the first page has been taken, because that one may suffice.
        """
        at = self.asks
        if at is None or not self._questions or at != Place(at.project):
            return []
        return [Place(name) for name in self.projects if name > at.project][:count]

    def names(self, document: Json) -> list[str]:
        """Return the names of the entries in an answer, as their owners are recorded."""
        return [self.question.listing.name_of(entry) for entry in self._fresh(document)]

    def take(self, document: Json, mine: Collection[str]) -> None:
        """Take the upstream's answer; ``mine`` are those of its names that the caller may see."""
        at, listing = self.at, self.question.listing
        assert at is not None  # noqa: S101 (it was asked for)
        self._questions += 1
        fresh = self._fresh(document)
        own = [entry for entry in fresh if listing.name_of(entry) in mine]
        room = self.question.wanted - len(self.entries)
        fits = listing.openai or len(at.given) + room <= _GIVEN_LIMIT
        if room < len(own) and (fits or room <= 0):
            self.entries += own[:room] if room > 0 else []
            hashes = {_hash(listing.name_of(entry)) for entry in own[: max(room, 0)]}
            self.at = attrs.evolve(at, given=at.given | hashes)
            self.whole = True
            return
        self.entries += own
        self.at = self._onward(at, document, fresh)
        full = len(self.entries) >= self.question.wanted
        self.whole = self._questions >= (_MOST_QUESTIONS if full else _MOST_IN_ALL)

    def answer(self, seal: PageTokens, caller: str) -> Json:
        """Return the page."""
        listing, entries = self.question.listing, self.entries
        if listing.openai:
            return _of_openai(entries, more=self.at is not None)
        page: Json = {listing.member: entries} if entries else {}
        if self.at is not None:
            name = "next_page_token" if listing.snake else "nextPageToken"
            page[name] = seal.seal(self.at, self.question.scope(caller))
        return page

    def _fresh(self, document: Json) -> list[Json]:
        """Return the entries of an answer that the client does not have."""
        listing, at = self.question.listing, self.at or Place()
        listed = document.get(listing.member)
        entries = listed if isinstance(listed, list) else []
        found = [entry for entry in entries if isinstance(entry, dict)]
        if listing.openai:  # a server that does not know ``after`` begins at the beginning
            ids = [entry.get("id") for entry in found]
            return found[ids.index(at.token) + 1 :] if at.token in ids else found
        return [entry for entry in found if _hash(listing.name_of(entry)) not in at.given]

    def _onward(self, at: Place, document: Json, fresh: Sequence[Json]) -> Place | None:
        """Return the place behind the upstream's page at ``at``; None at the end of all."""
        if self.question.listing.openai:
            token = fresh[-1].get("id") if fresh and document.get("has_more") is True else None
        else:
            token = document.get("nextPageToken") or document.get("next_page_token")
        if isinstance(token, str) and token and token != at.token:
            return Place(at.project, token)
        return self._behind(at.project)

    def _behind(self, project: str) -> Place | None:
        """Return the beginning of the next project, of the first one if ``project`` is empty."""
        return next((Place(name) for name in self.projects if name > project), None)


def _of_openai(entries: Sequence[Json], *, more: bool) -> Json:
    """Return a page of OpenAI's form."""
    ends = {"first_id": entries[0].get("id"), "last_id": entries[-1].get("id")} if entries else {}
    return {"object": "list", "data": list(entries), **ends, "has_more": more}


def _plain(pair: str) -> tuple[str, str]:
    """Return the name and the value of a parameter; Google takes system parameters with a $."""
    name, _, value = pair.replace("+", " ").partition("=")
    return unquote(name).removeprefix("$"), unquote(value)


def _with_names(pair: str, name: str, listing: Listing) -> str:
    """Return a parameter; a mask of fields also asks for what the proxy needs."""
    if name != "fields" or not pair.partition("=")[2]:
        return pair
    return f"{pair},{quote(mask_of(listing, '/'), safe=',')}"


def mask_of(listing: Listing, mark: str) -> str:
    """Return the mask of the fields that the proxy needs; ``mark`` stands between two names."""
    key, token = ("id", "next_page_token") if listing.snake else ("name", "nextPageToken")
    return f"{listing.member}{mark}{key},{token}"


def _spelt(listing: Listing, openai: str, google: str) -> str:
    """Return a parameter's name as the list has it."""
    if listing.openai:
        return openai
    return re.sub(r"([A-Z])", r"_\1", google).lower() if listing.snake else google


def _hash(name: str) -> str:
    """Return a short hash of a name, always of the same length."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest[:_HASH_BYTES]).decode("ascii")
