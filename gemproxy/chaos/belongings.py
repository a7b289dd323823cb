"""What one project has: files, caches, batches, interactions, stores, Live sessions and tokens.

Without projects everything belongs to one nameless project, and names that do not exist are refused
by the API that they belong to. With projects every name in path and body must be the project's own;
another one is refused in Google's words, whether it is another project's or nobody's.
"""

import attrs

from gemproxy.chaos.files import Files
from gemproxy.chaos.frames import project_of
from gemproxy.chaos.interactions import Interactions
from gemproxy.chaos.live import Sessions
from gemproxy.chaos.naming import names_in, tokens_in
from gemproxy.chaos.refusals import BAD_CONTINUATION, NO_CACHE, NO_ENTITY, Refusal, no_file
from gemproxy.chaos.resources import Resources
from gemproxy.chaos.stores import Stores
from gemproxy.chaos.wire import Request


@attrs.define(eq=False)
class Belongings:
    """The resources of one project, of one server."""

    project: str
    files: Files
    resources: Resources
    interactions: Interactions
    sessions: Sessions
    stores: Stores

    def has(self, name: str) -> bool:
        """Return whether the project has a name such as ``files/abc``."""
        collection, _, key = name.partition("/")
        if collection == "files":
            return key in self.files.files
        if collection == "interactions":
            return key in self.interactions.stored
        if collection == "fileSearchStores":
            return name in self.stores.kept
        return name in self.resources.caches or name in self.resources.batches

    def refusal(self, request: Request) -> Refusal | None:
        """Return the refusal of a request that names what is not this project's."""
        missing = next((name for name in names_in(request) if not self.has(name)), None)
        if missing is not None:
            return _no_such(missing)
        foreign = any(project_of(token) != self.project for token in tokens_in(request))
        return BAD_CONTINUATION if foreign else None


def _no_such(name: str) -> Refusal:
    if name.startswith("files/"):
        return no_file(name.removeprefix("files/"))
    return NO_CACHE if name.startswith("cachedContents/") else NO_ENTITY
