"""Lists under an access key: what it owns, merged over the projects of the pool.

``owners.lists`` says which GETs are lists and makes the pages; here the upstream's pages are
fetched, one project after the other: the first one alone, because it often suffices, and the next
ones some ahead. Projects where the caller has nothing are not asked, unless the operator lets
everybody see what belongs to nobody (``pool.unowned``).

A list is whole or an error. A project that does not answer has its part of the list, so the error
names it, and the client asks again. There is one exception: a project whose keys are all sick or
disabled and in which the caller has nothing on record is left out, because it may stay so for
weeks; the log says so. What Google refuses for the request's own fault (a wrong filter) is passed
on.

A collection whose names the proxy does not record is not listed under an access key: nobody could
say which entries belong to whom.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Any

import attrs
from aiohttp import web
from multidict import CIMultiDict

from gemproxy.core.answer.rewrite import dump
from gemproxy.core.errors import (
    BadRequest,
    Exhausted,
    NoKey,
    Unrepaired,
    UpstreamFailure,
    UpstreamRejection,
    upstream_error,
)
from gemproxy.core.repair.blame import Fault, blame
from gemproxy.exchange.exchange import Exchange
from gemproxy.owners.binding import Binding
from gemproxy.owners.lists import Listing, Page, Place, Question, Unlisted, mask_of
from gemproxy.owners.owner import Owner
from gemproxy.routes.addressing import addresses_of
from gemproxy.routes.documents import Documents
from gemproxy.routes.parts import EXCHANGE, POOLED

Json = dict[str, Any]

_ERRORS = 400
_AHEAD = 7
"""Projects that are asked at once, besides the one that is wanted."""
_LARGEST_PAGE = 32 << 20
_MASK = "X-Goog-FieldMask"
_CONDITIONS = ("If-Match", "If-Modified-Since", "If-None-Match", "If-Unmodified-Since", "Range")
"""Headers that concern one answer of the upstream's; ours is made of several."""
_JSON = "application/json; charset=UTF-8"

_log = logging.getLogger(__name__)


async def listed(request: web.Request, listing: Listing | Unlisted) -> web.StreamResponse:
    """Answer a GET for a list with what its caller owns."""
    if isinstance(listing, Unlisted):
        raise BadRequest(
            f"The proxy does not know who owns what in '{listing.collection}', so it does not list"
            " it for an access key."
        )
    exchange = request[EXCHANGE]
    fetch = _Fetch(_of_a_page(exchange, listing), Documents(request, "list"))
    try:
        page = await _page(request, fetch, Question.of(listing, exchange.raw_query))
    finally:
        exchange.account.result = fetch.documents.result()
    body = dump(page.answer(request.app[POOLED].tokens, exchange.account.access))
    edited = addresses_of(request).outward(body)
    return web.Response(body=edited or body, headers={"Content-Type": _JSON})


async def _page(request: web.Request, fetch: "_Fetch", question: Question) -> Page:
    """Return the page that a client asks for."""
    binding, access = request.app[POOLED].binding, fetch.exchange.account.access
    made = await binding.registry.made_by(access, question.listing.collection)
    known = {owner.project for owner in made}
    projects = binding.projects.order(access) if binding.allows_unowned else known
    page = Page(question, projects, await _place(request, question))
    ahead = _Ahead(fetch, question)
    try:
        while (place := page.asks) is not None:
            try:
                document = await ahead.page(place, page.ahead(_AHEAD))
            except NoKey:
                if place.project in known:
                    raise
                _log.warning("a list leaves out project %s: no key of it serves", place.project)
                document = {}
            page.take(document, await _visible(request, page.names(document), place.project))
    finally:
        await ahead.close()
    return page


async def _place(request: web.Request, question: Question) -> Place:
    """Return where the page begins."""
    pooled, access = request.app[POOLED], request[EXCHANGE].account.access
    if not question.place:
        return Place()
    if not question.listing.openai:
        return pooled.tokens.open(question.place, question.scope(access))
    name = question.listing.name_of({"id": question.place})
    owner = (await pooled.binding.registry.find([name])).get(name)
    if owner is None or not _may_see(pooled.binding, owner, access):
        raise BadRequest("The id in 'after' is not in this list.")
    return Place(owner.project, question.place)


async def _visible(request: web.Request, names: list[str], project: str) -> Collection[str]:
    """Return those of the names in a project that the caller may see.

    Those that nobody has on record are noted for their project, so that they can be deleted.
    """
    binding, access = request.app[POOLED].binding, request[EXCHANGE].account.access
    owners = await binding.registry.find(names)
    unknown = [name for name in names if name not in owners]
    if unknown and binding.allows_unowned:
        await binding.registry.record(dict.fromkeys(unknown), project, "")
    nobodys = Owner("", project, "", 0)
    known = {name: owners.get(name, nobodys) for name in names}
    return {
        name
        for name, owner in known.items()
        if owner.project == project and _may_see(binding, owner, access)
    }


@attrs.define(eq=False)
class _Ahead:
    """Fetches pages, some of them before they are wanted."""

    _fetch: "_Fetch"
    _question: Question
    _tasks: dict[Place, asyncio.Task[Json]] = attrs.field(factory=dict)

    async def page(self, place: Place, ahead: Sequence[Place]) -> Json:
        """Return the page at ``place``; begin to fetch those that come ``ahead``."""
        for one in (place, *ahead):
            if one not in self._tasks:
                fetching = self._fetch.page(one, self._question.query(one))
                self._tasks[one] = asyncio.create_task(fetching)
        return await self._tasks.pop(place)

    async def close(self) -> None:
        """Give up what is not wanted."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def _may_see(binding: Binding, owner: Owner, access: str) -> bool:
    """Return whether an access key may see what somebody or nobody owns."""
    return owner.caller == access or (not owner.caller and binding.allows_unowned)


@attrs.define(eq=False)
class _Fetch:
    """Fetches pages of the upstream's."""

    exchange: Exchange
    documents: Documents

    async def page(self, place: Place, query: str) -> Json:
        """Return one page; raise a GemproxyError that names the project whose part is missing."""
        target = f"{self.exchange.raw_path}?{query}" if query else self.exchange.raw_path
        project = place.project
        try:
            return await self.documents.fetch(self.exchange.towards(target, "GET").within(project))
        except UpstreamRejection as rejection:
            error = upstream_error(rejection.body)
            if blame(rejection.rejected_with, error) is Fault.REQUEST:
                raise
            raise Unrepaired(_missing(project, rejection.message)) from rejection
        except Exhausted as error:
            raise Exhausted(_missing(project, error.message), error.seconds) from error
        except NoKey as error:
            raise NoKey(_missing(project, error.message)) from error
        except UpstreamFailure as error:
            raise Unrepaired(_missing(project, error.message)) from error


def _missing(project: str, why: str) -> str:
    """Return the words of an error for a list without the part of one project."""
    return f"The list lacks the part of project {project}. {why}"


def _of_a_page(exchange: Exchange, listing: Listing) -> Exchange:
    """Return the exchange with the headers for an upstream's page."""
    headers = CIMultiDict(exchange.headers)
    for name in _CONDITIONS:
        headers.popall(name, None)
    if _MASK in headers:
        headers[_MASK] = f"{headers[_MASK]},{mask_of(listing, '.')}"
    return attrs.evolve(exchange, headers=headers, due=exchange.deadline)
