"""The projects of a server at its door: which one a request is for, and what it may touch there.

A request is admitted by its key, then its names must be the project's own, then it counts against
the quota. A piece of an upload needs no key: the URL belongs to the project that began it. Without
projects, every request with a credential comes to one nameless project.
"""

import itertools
from collections.abc import Callable, Iterator

import attrs

from gemproxy.chaos.api import Refused
from gemproxy.chaos.belongings import Belongings
from gemproxy.chaos.cloud import Cloud
from gemproxy.chaos.files import Files
from gemproxy.chaos.interactions import Interactions
from gemproxy.chaos.live import Sessions
from gemproxy.chaos.refusals import FORBIDDEN, NO_ENTITY
from gemproxy.chaos.resources import Resources
from gemproxy.chaos.script import Script
from gemproxy.chaos.stores import Stores
from gemproxy.chaos.websocket import asks_for_websocket
from gemproxy.chaos.wire import Request


@attrs.define(eq=False)
class Tenants:
    """The belongings of each project of ``cloud``, and those of no project in ``nobody``.

    Ids are counted over all projects, so that no two of them have the same name.
    """

    cloud: Cloud
    scripts: Callable[[str], Script | None]
    seed: int = 0
    nobody: Belongings = attrs.field(init=False)
    by_project: dict[str, Belongings] = attrs.field(init=False)

    @nobody.default
    def _of_nobody(self) -> Belongings:
        return self._belongings("", itertools.count(1), itertools.count(1), {})

    @by_project.default
    def _of_projects(self) -> dict[str, Belongings]:
        files, others, made = itertools.count(1), itertools.count(1), dict[str, int]()
        names = [project.name for project in self.cloud.projects]
        return {name: self._belongings(name, files, others, made) for name in names}

    def _belongings(
        self, name: str, files: Iterator[int], others: Iterator[int], made: dict[str, int]
    ) -> Belongings:
        interactions = Interactions(self.scripts, self.seed, made=made)
        return Belongings(
            name,
            Files(numbers=files),
            Resources(numbers=others),
            interactions,
            Sessions(name, numbers=others),
            Stores(numbers=others),
        )

    def enter(self, request: Request) -> Belongings:
        """Return what a request may touch; raise Refused."""
        if not self.cloud.projects:
            return self.nobody
        begun = self._upload(request)
        if begun is not None and not request.values("x-goog-api-key"):
            return begun
        arrival, refusal = self.cloud.admit(request, self._issuer(request))
        if refusal is not None:
            raise Refused.by(refusal)
        belongings = self.by_project[arrival.project]
        if begun not in (None, belongings):
            raise Refused.by(self.cloud.note(arrival, FORBIDDEN))
        refusal = belongings.refusal(request) or self.cloud.count(arrival, request)
        if refusal is not None:
            raise Refused.by(self.cloud.note(arrival, refusal))
        return belongings

    def _issuer(self, request: Request) -> str:
        """Return the project whose token a request has in place of a key; empty for a key."""
        token = request.header("authorization").partition(" ")[2]
        of_live = asks_for_websocket(request)
        projects = self.by_project.values() if of_live else ()
        return next((one.project for one in projects if token in one.sessions.tokens), "")

    def _upload(self, request: Request) -> Belongings | None:
        """Return the project that began the upload of a request, None for any other request."""
        upload_id = request.query.get("upload_id")
        if upload_id is None:
            return None
        for belongings in self.by_project.values():
            if upload_id in belongings.files.uploads:
                return belongings
        raise Refused.by(NO_ENTITY)
