"""The fake file search stores."""

import json
from typing import Any

import pytest

from gemproxy.chaos.api import Refused
from gemproxy.chaos.stores import Stores
from gemproxy.chaos.wire import Request

STORES = "/v1beta/fileSearchStores"


def ask(stores: Stores, method: str, target: str, document: Any = None) -> dict[str, Any]:
    body = b"" if document is None else json.dumps(document).encode()
    headers = (("x-goog-api-key", "test-key"),)
    reply = stores.answer(Request(method, target, "HTTP/1.1", headers, body))
    assert reply is not None
    found: dict[str, Any] = json.loads(reply.body)
    return found


def test_a_store_lives_from_its_creation_to_its_deletion() -> None:
    stores = Stores()
    made = ask(stores, "POST", STORES, {"displayName": "mine"})
    path = f"/v1beta/{made['name']}"

    assert ask(stores, "GET", path) == made
    assert ask(stores, "GET", STORES) == {"fileSearchStores": [made]}
    assert ask(stores, "DELETE", f"{path}?force=true") == {}
    assert ask(stores, "GET", STORES) == {"fileSearchStores": []}
    with pytest.raises(Refused):
        ask(stores, "GET", path)


def test_a_file_becomes_a_document() -> None:
    stores = Stores()
    store = ask(stores, "POST", STORES, {})["name"]
    path = f"/v1beta/{store}"
    operation = ask(stores, "POST", f"{path}:importFile", {"fileName": "files/a"})
    name = operation["response"]["documentName"]

    assert ask(stores, "GET", f"/v1beta/{operation['name']}") == operation
    assert ask(stores, "GET", f"/v1beta/{name}")["displayName"] == "files/a"
    assert [one["name"] for one in ask(stores, "GET", f"{path}/documents")["documents"]] == [name]
    ask(stores, "DELETE", path)
    assert stores.kept == {}


def test_what_is_no_store_is_left_to_others() -> None:
    assert Stores().answer(Request("GET", "/v1beta/files", "HTTP/1.1", (), b"")) is None
