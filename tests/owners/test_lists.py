"""Lists merged over projects: which requests are lists, and pages that lose and repeat nothing."""

from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.errors import BadRequest
from gemproxy.owners.lists import (
    Listing,
    Page,
    PageTokens,
    Place,
    Question,
    Unlisted,
    listing_of,
    mask_of,
)

Json = dict[str, Any]

FILES = Listing("files")
TOKENS = PageTokens(Fernet.generate_key())


@pytest.mark.parametrize(
    ("path", "listing"),
    [
        ("/v1beta/files", FILES),
        ("/v1/files", FILES),
        ("/files", FILES),
        ("/v1beta/files/", FILES),
        ("/some/prefix/v1alpha/cachedContents", Listing("cachedContents")),
        ("/v1beta/batches", Listing("batches")),
        ("/v1/operations", Listing("operations")),
        ("/v1beta/models/m/operations", Listing("operations", "models/m")),
        ("/v1beta/generatedFiles", Listing("generatedFiles")),
        ("/v1beta/agents", Listing("agents")),
        ("/v1beta/openai/files", Listing("files", openai=True)),
        ("/v1beta/openai/videos", Listing("videos", openai=True)),
        ("/v1beta/gizmos", Unlisted("gizmos")),
        ("/v1beta/openai/assistants", Unlisted("assistants")),
        ("/v1beta/openai/vector_stores", Unlisted("vector_stores")),
        ("/v1beta/openai/fine_tuning/jobs", Unlisted("jobs")),
        ("/v1beta/openai/chat/completions", Unlisted("completions")),
        ("/v1beta/openai/models/m", None),
        ("/v1beta/openai/files/file-1/content", None),
        ("/v1beta/models", None),
        ("/v1beta/openai/models", None),
        ("/v1beta/models/files", None),
        ("/v1beta/files/abc", None),
        ("/v1beta/fileSearchStores/s/documents", None),
        ("/v1beta/fileSearchStores/s/operations", None),
        ("/v1beta/tunedModels/t/operations", None),
        ("/", None),
    ],
)
def test_a_list_is_known_by_its_path(path: str, listing: object) -> None:
    assert listing_of(path) == listing


@pytest.mark.parametrize(
    ("listing", "entry", "name"),
    [
        (FILES, {"name": "files/a"}, "files/a"),
        (Listing("operations"), {"name": "models/m/operations/o"}, "models/m/operations/o"),
        (Listing("agents"), {"id": "a", "name": "My agent"}, "agents/a"),
        (Listing("agents"), {"id": "agents/a"}, "agents/a"),
        (Listing("interactions"), {"id": "v1_x"}, "interactions/v1_x"),
        (Listing("files", openai=True), {"id": "file-a"}, "files/file-a"),
        (Listing("files", openai=True), {"id": "files/a"}, "files/a"),
        (FILES, {"displayName": "x"}, ""),
        (FILES, {"name": 7}, ""),
    ],
)
def test_an_entry_is_known_by_the_name_of_its_record(
    listing: Listing, entry: Json, name: str
) -> None:
    assert listing.name_of(entry) == name


def test_a_question_keeps_the_filters_and_asks_for_large_pages() -> None:
    query = "filter=a%20b&pageSize=7&alt=json&key=k&orderBy=x&pageToken=t%2F"
    question = Question.of(FILES, query)

    assert (question.size, question.place, question.wanted) == (7, "t/", 7)
    assert question.query(Place()) == "filter=a%20b&orderBy=x&pageSize=100"
    assert question.query(Place("p", "t/1")).endswith("&pageToken=t%2F1")


def test_a_list_of_unknown_size_is_asked_for_as_the_client_asks() -> None:
    assert Question.of(Listing("batches"), "page_size=3").query(Place()) == "pageSize=3"
    assert Question.of(Listing("batches"), "").query(Place()) == ""
    assert Question.of(Listing("agents"), "page_size=3").query(Place("", "t")) == (
        "page_size=3&page_token=t"
    )


@pytest.mark.parametrize("size", ["", "x", "-1", "1.5"])
def test_a_size_that_is_none_goes_up(size: str) -> None:
    assert f"pageSize={size}" in Question.of(Listing("batches"), f"pageSize={size}").query(Place())


@pytest.mark.parametrize("name", ["fields", "$fields", "%24fields"])
def test_a_mask_of_fields_also_asks_for_the_names(name: str) -> None:
    question = Question.of(FILES, f"{name}=files(displayName)")

    assert dict(parse_qsl(question.query(Place())))[name.replace("%24", "$")] == (
        "files(displayName),files/name,nextPageToken"
    )
    assert mask_of(Listing("batches"), ".") == "operations.name,nextPageToken"
    assert mask_of(Listing("agents"), ".") == "agents.id,next_page_token"


def test_a_token_is_good_for_its_caller_its_list_and_its_filters() -> None:
    place = Place("lab", "t", frozenset({"AAAAAAAA", "BBBBBBBB"}))
    scope = Question.of(FILES, "filter=x").scope("ann")
    token = TOKENS.seal(place, scope)

    assert TOKENS.open(token, scope) == place
    same = Question.of(FILES, "pageSize=3&filter=x&fields=y").scope("ann")
    assert TOKENS.open(token, same) == place
    others = (
        Question.of(FILES, "filter=x").scope("bob"),
        Question.of(FILES, "filter=y").scope("ann"),
        Question.of(Listing("batches"), "filter=x").scope("ann"),
    )
    for other in others:
        with pytest.raises(BadRequest):
            TOKENS.open(token, other)


@pytest.mark.parametrize("token", ["x", "", "ä", "\udcff", "gAAAAA", "=" * 9, "null"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(BadRequest):
        TOKENS.open(token, "scope")


def test_a_token_hides_the_upstreams() -> None:
    assert "canary" not in TOKENS.seal(Place("canary", "canary"), "scope")


@attrs.define
class Google:
    """Projects with files; a page holds ``largest`` entries, and its token is a position."""

    projects: dict[str, list[str]]
    largest: int = 3
    asked: int = 0

    def answer(self, listing: Listing, place: Place) -> Json:
        self.asked += 1
        names = self.projects[place.project]
        if listing.openai:
            begin = names.index(place.token) + 1 if place.token else 0
            some = names[begin : begin + self.largest]
            more = begin + self.largest < len(names)
            return {"data": [{"id": name} for name in some], "has_more": more}
        # As Google's tokens do, it stands for the entry before, which may be deleted by now.
        later = [name for name in names if name > place.token]
        page = {"files": [{"name": name} for name in later[: self.largest]]}
        token = {"nextPageToken": later[self.largest - 1]} if len(later) > self.largest else {}
        return page | token


def fetched(google: Google, mine: set[str], query: str, listing: Listing = FILES) -> Json:
    """Return one page as the route makes it."""
    question = Question.of(listing, query)
    at = Place()
    if question.place and listing.openai:
        project = next(p for p, names in google.projects.items() if question.place in names)
        at = Place(project, question.place)
    elif question.place:
        at = TOKENS.open(question.place, question.scope("ann"))
    page = Page(question, google.projects, at)
    while page.asks is not None:
        document = google.answer(listing, page.asks)
        page.take(document, mine & set(page.names(document)))
    return page.answer(TOKENS, "ann")


NAMES = [f"files/{letter}" for letter in "abcdefghijklmnopqrst"]
HELD = st.lists(st.sampled_from("PQR"), min_size=len(NAMES), max_size=len(NAMES))


def placed(held: list[str]) -> dict[str, list[str]]:
    """Return the projects, each with its names in order."""
    by_project: dict[str, list[str]] = {"P": [], "Q": [], "R": []}
    for name, project in zip(NAMES, held, strict=True):
        by_project[project].append(name)
    return by_project


@given(HELD, st.sets(st.sampled_from(NAMES)), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_the_pages_hold_what_is_mine_once_and_only_the_last_may_be_short(
    held: list[str], mine: set[str], size: int, largest: int, deletes: bool
) -> None:
    google = Google(placed(held), largest)
    pages: list[list[str]] = []
    token = ""
    while not pages or token:
        document = fetched(google, mine, f"pageSize={size}&pageToken={token}")
        pages.append([entry["name"] for entry in document.get("files", [])])
        token = document.get("nextPageToken", "")
        if deletes:  # as clients do that clean up while they list
            kept = {p: [n for n in ns if n not in pages[-1]] for p, ns in google.projects.items()}
            google.projects = kept

    seen = [name for page in pages for name in page]
    assert sorted(seen) == sorted(mine)
    assert all(len(page) == size for page in pages[:-1])
    assert pages[-1] or pages == [[]]


@given(HELD, st.sets(st.sampled_from(NAMES)), st.integers(1, 9), st.integers(1, 9))
def test_a_list_of_openai_goes_on_behind_an_id(
    held: list[str], mine: set[str], size: int, largest: int
) -> None:
    google, listing = Google(placed(held), largest), Listing("files", openai=True)
    seen: list[str] = []
    after, more = "", True
    while more:
        query = f"limit={size}&after={after}"
        document = fetched(google, mine, query, listing)
        data = [entry["id"] for entry in document["data"]]
        more, after = document["has_more"], document.get("last_id", "")
        assert data or not more
        seen += data

    assert sorted(seen) == sorted(mine)


def test_an_openai_server_without_cursors_is_not_asked_for_ever() -> None:
    listing = Listing("files", openai=True)
    document = {"data": [{"id": "files/a"}, {"id": "files/b"}], "has_more": True}
    page = Page(Question.of(listing, "limit=9"), ["P"], Place())
    asked = 0
    while page.asks is not None:
        asked += 1
        page.take(document, {"files/a", "files/b"})

    assert [entry["id"] for entry in page.entries] == ["files/a", "files/b"]
    assert asked == 2


def test_a_list_without_an_end_is_left() -> None:
    page = Page(Question.of(FILES, ""), ["P"], Place())
    asked = 0
    while page.asks is not None:
        asked += 1
        page.take({"nextPageToken": str(asked)}, ())

    assert asked == 2_000
    assert page.answer(TOKENS, "ann").keys() == {"nextPageToken"}


def test_the_rest_of_a_page_that_no_token_can_remember_is_given_whole() -> None:
    names = [f"files/{number:04d}" for number in range(1000)]
    google = Google({"P": names}, largest=1000)
    first = fetched(google, set(names), "pageSize=100")
    second = fetched(google, set(names), f"pageSize=100&pageToken={first['nextPageToken']}")

    assert len(first["files"]) == 100
    assert len(first["nextPageToken"]) < 4000
    assert len(second["files"]) == 900
    assert "nextPageToken" not in second


def test_a_list_without_entries_is_empty_as_google_s_is() -> None:
    assert fetched(Google({"P": ["files/a"]}), set(), "") == {}
    assert fetched(Google({}), set(), "") == {}


def test_a_project_that_has_gone_is_skipped() -> None:
    page = Page(Question.of(FILES, ""), ["P", "R"], Place("Q", "t"))

    assert page.asks == Place("R")


def test_a_list_that_repeats_its_token_ends() -> None:
    page = Page(Question.of(FILES, ""), ["P"], Place("P", "t"))
    page.take({"files": [], "nextPageToken": "t"}, set())

    assert page.asks is None


def test_the_newer_lists_have_their_own_spelling() -> None:
    page = Page(Question.of(Listing("agents"), "page_size=1"), ["P"], Place("P"))
    page.take({"agents": [{"id": "a"}, {"id": "b"}]}, {"agents/a", "agents/b"})

    assert page.answer(TOKENS, "ann").keys() == {"agents", "next_page_token"}


def test_the_next_projects_may_be_asked_ahead_once_the_first_did_not_suffice() -> None:
    page = Page(Question.of(FILES, "pageSize=1"), ["P", "Q", "R", "S"], Place())
    assert page.ahead(2) == []
    page.take({"files": [], "nextPageToken": "t"}, set())
    assert page.ahead(2) == []
    page.take({"files": []}, set())
    assert page.ahead(2) == [Place("R"), Place("S")]
    assert page.ahead(1) == [Place("R")]
    page.take({"files": [{"name": "files/a"}, {"name": "files/b"}]}, {"files/a", "files/b"})
    assert (page.asks, page.ahead(2)) == (None, [])
