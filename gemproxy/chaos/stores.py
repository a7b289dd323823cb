"""File search stores of the fake Gemini, and their documents.

    /{version}/fileSearchStores[/{id}]                   create, list, get, delete
    POST /{version}/fileSearchStores/{id}:importFile     a file becomes a document, at once
    /{version}/fileSearchStores/{id}/documents[/{id}]    list, get, delete
    GET  /{version}/fileSearchStores/{id}/operations/{id}

Ids are counted. Nothing is searched.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import attrs

from gemproxy.chaos.api import Refused, check_credential, json_reply
from gemproxy.chaos.delivery import Reply
from gemproxy.chaos.paging import page
from gemproxy.chaos.wire import Request

Json = dict[str, Any]

_PATH = re.compile(
    r"/v\d\w*/(?:(?P<list>fileSearchStores(?:/[^/:]+/documents)?)"
    r"|(?P<one>fileSearchStores/[^/:]+(?:/(?:documents|operations)/[^/:]+)?)"
    r"(?P<imports>:importFile)?)$"
)
_CREATED = "2026-01-01T00:00:00Z"
_PAGE = 10


@attrs.define(eq=False)
class Stores:
    """The stores of one project, with documents and operations, by name."""

    kept: dict[str, Json] = attrs.field(factory=dict)
    numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), repr=False)

    def answer(self, request: Request) -> Reply | None:
        """Return the answer to a request for this API, None for any other; raise Refused."""
        found = _PATH.search(request.path)
        if found is None:
            return None
        check_credential(request)
        if found["list"] is not None:
            return json_reply(self._collection(found["list"], request))
        return json_reply(self._one(found["one"], request, imports=bool(found["imports"])))

    def _collection(self, name: str, request: Request) -> Json:
        if request.method == "POST" and name == "fileSearchStores":
            return self._keep(name, displayName=request.document.get("displayName", ""))
        inside = [one for key, one in self.kept.items() if key.rpartition("/")[0] == name]
        return page(request, name.rpartition("/")[2], inside, _PAGE)

    def _one(self, name: str, request: Request, *, imports: bool) -> Json:
        if name not in self.kept:
            raise Refused(404, "Requested entity was not found.")
        if imports:
            file = str(request.document.get("fileName", request.document.get("file_name")))
            made = self._keep(f"{name}/documents", displayName=file)
            response = {"parent": name, "documentName": made["name"]}
            return self._keep(f"{name}/operations", done=True, response=response)
        if request.method == "DELETE":
            self.kept = {
                key: one for key, one in self.kept.items() if not f"{key}/".startswith(f"{name}/")
            }
            return {}
        return self.kept[name]

    def _keep(self, collection: str, **fields: object) -> Json:
        name = f"{collection}/kept{next(self.numbers)}"
        self.kept[name] = {"name": name, **fields, "createTime": _CREATED}
        return self.kept[name]
