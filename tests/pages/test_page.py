"""Links between pages are relative, and lead where they should from every page."""

from urllib.parse import urljoin

import pytest

from gemproxy.pages.page import linked, queried

PATHS = ("/admin/", "/admin/requests", "/admin/requests/a-1", "/admin/keys/k/check?x=%2F")


@pytest.mark.parametrize("prefix", ["", "/gem"])
@pytest.mark.parametrize("here", ["/admin", *PATHS])
@pytest.mark.parametrize("path", PATHS)
def test_a_link_leads_to_its_path_also_below_a_prefix(prefix: str, here: str, path: str) -> None:
    base = f"http://host{prefix}{here}"

    assert urljoin(base, linked(here.partition("?")[0], path)) == f"http://host{prefix}{path}"


@pytest.mark.parametrize("here", ["/admin", *PATHS])
@pytest.mark.parametrize("path", PATHS)
def test_a_link_begins_as_the_script_of_open_pages_wants_it(here: str, path: str) -> None:
    assert linked(here.partition("?")[0], path).startswith(".")


def test_a_query_has_the_fields_that_are_not_empty() -> None:
    assert queried("/keys", {"project": "a b", "state": None, "find": ""}) == "/keys?project=a+b"
    assert queried("/keys", {"find": ""}) == "/keys"
