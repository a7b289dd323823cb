"""Who comes in: by which credential, in which place, in which mode."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from gemproxy.access.door import OPEN, Door, Mode, UnknownKey
from gemproxy.access.keys import AccessKeys, Stored
from gemproxy.access.secret import hashed, id_in, new_id, new_key
from gemproxy.accounts.user import OWN, User
from gemproxy.core.errors import BadRequest, Forbidden, Unauthenticated
from gemproxy.exchange.exchange import Exchange

ANN, BOB = "gp-7Kq2mXv9TzRw4Lp8", "bobs-5f2c9a7e31d84b60"
KEYS = AccessKeys.of({"ann": ANN, "bob": BOB})
GOOGLES = [
    {"x-goog-api-key": "AIzaSyOwn"},
    {"x-goog-api-key": "AQ.own"},
    {"Authorization": "Bearer ya29.own"},
    {"Authorization": "Bearer eyJhbGciOi.eyJpc3MiOi.c2lnbmF0dXJl"},
    {"Authorization": "Token auth_tokens/own"},
    {"query": "key=AIzaSyOwn"},
    {"query": "access_token=ya29.own"},
]
PLACES: list[dict[str, str]] = [
    {"x-goog-api-key": "%s"},
    {"X-Goog-Api-Key": " %s "},
    {"Authorization": "Bearer %s"},
    {"Authorization": "bearer   %s"},
    {"Authorization": "Token %s"},
    {"Authorization": "%s"},
    {"x-api-key": "%s"},
    {"api-key": "%s"},
    {"query": "key=%s"},
    {"query": "alt=sse&key=%s"},
    {"query": "k%%65y=%s"},
    {"query": "access_token=%s"},
    {"query": "oauth_token=%s&x=y"},
    {"query": "key=&key=%s"},
    {"x-goog-api-key": "AIzaSyOwn", "query": "key=%s"},
    {"x-goog-api-key": "%s", "Authorization": "Bearer ya29.own"},
    {"x-goog-api-key": "anything", "Authorization": "Bearer %s"},
]


def exchange(
    headers: Mapping[str, str] = {},
    path: str = "/v1beta/models/gemini-x:generateContent",
    method: str = "POST",
) -> Exchange:
    """Return a request; the item ``query`` of its headers is its query."""
    given = CIMultiDict(headers)
    query = given.pop("query", "")
    return Exchange("id", "generate", method, path, query, CIMultiDictProxy(given))


def bringing(place: Mapping[str, str], key: str) -> Exchange:
    return exchange({name: text.replace("%s", key) % () for name, text in place.items()})


def refused(door: Door, request: Exchange) -> str:
    with pytest.raises(Unauthenticated) as caught:
        door.admit(request)
    assert (caught.value.status, caught.value.code) == (401, "UNAUTHENTICATED")
    assert ANN not in str(caught.value)
    assert BOB not in str(caught.value)
    return caught.value.message


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", [Mode.POOL, Mode.BOTH])
def test_an_access_key_is_found_in_every_place(mode: Mode, place: dict[str, str]) -> None:
    door = Door(mode, KEYS)

    assert door.admit(bringing(place, ANN)).name == "ann"
    assert door.admit(bringing(place, BOB)).name == "bob"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", Mode)
def test_a_mistyped_access_key_is_refused_in_every_place(mode: Mode, place: dict[str, str]) -> None:
    message = refused(Door(mode, KEYS), bringing(place, f"{ANN}x"))

    assert "access key" in message


@pytest.mark.parametrize("place", PLACES)
def test_no_access_key_passes_where_clients_bring_their_own(place: dict[str, str]) -> None:
    for key in (ANN, BOB):
        assert "is never passed on" in refused(Door(keys=KEYS), bringing(place, key))
    refused(Door(), bringing(place, ANN))


@pytest.mark.parametrize("headers", [*GOOGLES, {}, {"x-goog-api-key": "test-key"}])
def test_in_passthrough_everything_else_goes_up(headers: dict[str, str]) -> None:
    for door in (Door(), Door(keys=KEYS)):
        assert door.admit(exchange(headers)).name == ""


@pytest.mark.parametrize("headers", GOOGLES)
def test_a_credential_of_google_s_is_the_client_s_own_in_both_alone(
    headers: dict[str, str],
) -> None:
    assert Door(Mode.BOTH, KEYS).admit(exchange(headers)).name == ""
    assert "not valid" in refused(Door(Mode.POOL, KEYS), exchange(headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"x-goog-api-key": "test-key"},
        {"x-goog-api-key": "sk-1234567890"},
        {"Authorization": "Bearer opaque"},
        {"Authorization": "Bearer eyJhbGciOi.nojwt"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"x-goog-api-key": "something", "query": "key=AIzaSyOwn"},
        {"x-api-key": "AIzaSyOwn"},
        {"query": "key=auth_tokens"},
    ],
)
def test_anything_else_is_refused_where_there_is_a_pool(headers: dict[str, str]) -> None:
    for mode in (Mode.POOL, Mode.BOTH):
        assert "Authorization: Bearer" in refused(Door(mode, KEYS), exchange(headers))


@pytest.mark.parametrize("mode", [Mode.POOL, Mode.BOTH])
def test_without_a_credential_a_client_learns_where_it_belongs(mode: Mode) -> None:
    message = refused(Door(mode, KEYS), exchange())

    for place in ("x-goog-api-key", "?key=", "Authorization: Bearer"):
        assert place in message


def test_basic_has_an_access_key_as_its_user_or_its_password() -> None:
    door = Door(Mode.POOL, KEYS)
    for pair in (f"ann:{ANN}", f"{ANN}:", ANN):
        coded = base64.b64encode(pair.encode()).decode()
        assert door.admit(exchange({"Authorization": f"Basic {coded}"})).name == "ann"
    refused(door, exchange({"Authorization": "Basic %%%"}))


def test_a_header_that_comes_twice_is_read_twice() -> None:
    headers = CIMultiDict([("x-goog-api-key", "other"), ("x-goog-api-key", ANN)])

    assert Door(Mode.POOL, KEYS).admit(exchange(headers)).name == "ann"
    refused(Door(keys=KEYS), exchange(headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"query": f"apiKey={ANN}"},
        {"query": f"x={ANN.replace('-', '%2D')}"},
        {"Sec-WebSocket-Protocol": f"json, openai-insecure-api-key.{ANN}"},
        {"Sec-WebSocket-Protocol": ANN},
        {"X-Auth-Token": ANN},
        {"X-Access-Key": f"Bearer {ANN}"},
    ],
)
@pytest.mark.parametrize("mode", Mode)
def test_an_access_key_that_would_go_up_in_another_place_is_refused(
    mode: Mode, headers: dict[str, str]
) -> None:
    for key in ("", ANN):
        message = refused(Door(mode, KEYS), exchange({"x-goog-api-key": key, **headers}))
        assert "in a place that Gemini would see" in message


@pytest.mark.parametrize("path", ["/%s/v1beta/models", "/v1/models/%s:generateContent", "/v1/%s"])
@pytest.mark.parametrize("mode", Mode)
def test_an_access_key_in_the_path_is_refused(mode: Mode, path: str) -> None:
    for key in (ANN, BOB.replace("-", "%2D")):
        request = exchange({"x-goog-api-key": ANN}, path % key)
        assert "in a place that Gemini would see" in refused(Door(mode, KEYS), request)


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"query": "filter=gp-short"}, "/v1beta/files"),
        ({}, "/v1beta/files/gp-report-of-november"),
        ({"User-Agent": "gp-client/1.0"}, "/v1beta/models"),
    ],
)
def test_other_things_may_begin_with_the_same_letters(headers: dict[str, str], path: str) -> None:
    assert Door(keys=KEYS).admit(exchange(headers, path)).name == ""


def test_an_open_pool_lets_everybody_in_under_one_name() -> None:
    door = Door(Mode.POOL, KEYS, open=True)

    assert door.admit(exchange()).name == OPEN
    assert door.admit(exchange({"x-goog-api-key": "AIzaSyOwn"})).name == OPEN
    assert door.admit(exchange({"x-goog-api-key": ANN})).name == "ann"
    refused(door, exchange({"x-goog-api-key": f"{ANN}x"}))
    both = Door(Mode.BOTH, KEYS, open=True)
    assert both.admit(exchange({"x-goog-api-key": "AIzaSyOwn"})).name == ""
    assert both.admit(exchange({"x-goog-api-key": "any"})).name == OPEN


def test_a_page_may_use_an_open_pool_only_if_its_origin_is_named() -> None:
    page = exchange({"Origin": "https://Page.test"})

    assert "server.cors_origins" in refused(Door(Mode.POOL, KEYS, open=True), page)
    for origins in (("https://page.test",), ("*",)):
        assert Door(Mode.POOL, KEYS, open=True, origins=origins).admit(page).name == OPEN
    with_key = exchange({"Origin": "https://page.test", "x-goog-api-key": ANN})
    assert Door(Mode.POOL, KEYS, open=True).admit(with_key).name == "ann"


@pytest.mark.parametrize(
    ("mode", "word", "name"),
    [
        (Mode.POOL, "ann", "ann"),
        (Mode.BOTH, "ann", "ann"),
        (Mode.BOTH, "", ""),
        (Mode.POOL, "", None),
        (Mode.POOL, None, None),
        (Mode.BOTH, None, None),
    ],
)
def test_a_token_or_an_upload_url_of_ours_needs_no_access_key(
    mode: Mode, word: str | None, name: str | None
) -> None:
    door = Door(mode, KEYS, vouch=lambda _: word)

    if name is None:
        refused(door, exchange())
    else:
        assert door.admit(exchange()).name == name
    assert door.admit(exchange({"x-goog-api-key": BOB})).name == "bob"


def test_what_a_browser_asks_before_it_has_a_credential_passes_in_both() -> None:
    request = exchange(method="OPTIONS")

    assert Door(Mode.BOTH, KEYS).admit(request).name == ""
    refused(Door(Mode.POOL, KEYS), request)
    refused(Door(Mode.BOTH, KEYS), exchange({"query": "key=any"}, method="OPTIONS"))


def test_a_target_that_cannot_go_up_is_another_error() -> None:
    with pytest.raises(BadRequest):
        Door(Mode.BOTH, KEYS).admit(exchange({"x-goog-api-key": "AIza"}, "/v1/../x"))


def test_no_credential_of_a_caller_with_an_access_key_is_the_client_s_own() -> None:
    request = exchange({"x-goog-api-key": ANN, "Authorization": "Bearer ya29.own"})

    request.account.access = Door(Mode.BOTH, KEYS).admit(request).name

    assert request.caller is None


@given(
    st.sampled_from(Mode),
    st.dictionaries(
        st.sampled_from(["x-goog-api-key", "Authorization", "query", "Sec-WebSocket-Protocol"]),
        st.text(),
    ),
    st.text(),
)
def test_any_request_comes_in_or_is_refused(mode: Mode, headers: dict[str, Any], path: str) -> None:
    try:
        name = Door(mode, KEYS).admit(exchange(headers, f"/{path}")).name
    except (Unauthenticated, BadRequest):
        return
    assert name == ""


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", ["X-Foo", "X-Goog-Api-Client", "User-Agent", "Origin"])
def test_no_header_takes_an_access_key_up(mode: Mode, name: str) -> None:
    given = {"x-goog-api-key": "AIzaSyOwn" if mode is Mode.PASSTHROUGH else ANN, name: BOB}

    with pytest.raises(Unauthenticated, match="Gemini would see"):
        Door(mode, KEYS).admit(exchange(given))


NOW = 1_800_000_000.0
KEY = new_key("abcdefghjkmn")


def storing(user: User) -> Door:
    keys = AccessKeys()
    keys.put([Stored(user, hashed(KEY, b"pepper"))], b"pepper")
    return Door(Mode.POOL, keys, now=lambda: NOW)


def test_a_stored_key_brings_its_user_in() -> None:
    user = User(id_in(KEY), "carl")

    for place in PLACES:
        assert storing(user).admit(bringing(place, KEY)) is user
    assert Door(Mode.BOTH).admit(exchange({"x-goog-api-key": "AIzaSyOwn"})) is OWN


def test_a_key_that_may_be_stored_by_now_is_refused_by_another_error() -> None:
    for key, kind in ((new_key(new_id()), UnknownKey), ("gp-mistyped", Unauthenticated)):
        with pytest.raises(Unauthenticated) as caught:
            storing(User(id_in(KEY), "carl")).admit(exchange({"x-goog-api-key": key}))
        assert type(caught.value) is kind
        assert "not valid" in caught.value.message


def test_an_expired_key_is_refused_in_words() -> None:
    door = storing(User(id_in(KEY), "carl", expires=NOW))

    message = refused(door, exchange({"x-goog-api-key": KEY}))

    assert message == "The access key of carl expired at 2027-01-15 08:00:00 UTC."
    later = storing(User(id_in(KEY), "carl", expires=NOW + 1))
    assert later.admit(exchange({"x-goog-api-key": KEY})).name == "carl"


def test_a_model_in_the_path_that_the_user_may_not_call_is_refused() -> None:
    door = storing(User(id_in(KEY), "carl", models=("gemini-y",)))
    key = {"x-goog-api-key": KEY}

    with pytest.raises(Forbidden, match="may not call the model gemini-x"):
        door.admit(exchange(key, "/v1beta/models/gemini-x:generateContent"))
    for path in ("/v1beta/models/gemini-y:countTokens", "/v1beta/models", "/v1beta/files/x"):
        assert door.admit(exchange(key, path)).name == "carl"


@pytest.mark.parametrize("mode", [Mode.POOL, Mode.BOTH])
def test_a_token_or_an_upload_url_ends_with_the_key_of_its_maker(mode: Mode) -> None:
    for door, minted in (
        (Door(mode, KEYS, vouch=lambda _: "dora"), ""),
        (Door(mode, KEYS), "dora"),
    ):
        with pytest.raises(Unauthenticated, match="not valid any more"):
            door.admit(exchange(), minted)


def test_a_stored_key_in_another_place_is_refused() -> None:
    door = storing(User(id_in(KEY), "carl"))

    for key in (KEY, new_key(new_id())):
        for headers in ({"X-Foo": key}, {"query": f"x={key}"}):
            assert "Gemini would see" in refused(door, exchange({"x-goog-api-key": KEY, **headers}))


def test_a_revoked_key_is_refused_in_words() -> None:
    keys = AccessKeys()
    keys.put([], b"pepper", [id_in(KEY)])

    assert refused(Door(Mode.POOL, keys), exchange({"x-goog-api-key": KEY})) == (
        "The access key was revoked."
    )
