"""Pages of a list."""

from gemproxy.chaos.paging import page
from gemproxy.chaos.wire import Request


def pages(query: str) -> dict[str, object]:
    return page(Request("GET", f"/v1/files{query}", "HTTP/1.1", (), b""), "files", "abcde", 3)


def test_each_page_but_the_last_names_the_next() -> None:
    assert pages("") == {"files": ["a", "b", "c"], "nextPageToken": "3"}
    assert pages("?pageToken=3") == {"files": ["d", "e"]}
    assert pages("?pageSize=5") == {"files": list("abcde")}
