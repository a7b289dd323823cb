"""Targets: what goes up of a path and a query, and that it cannot lead elsewhere."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from yarl import URL

from gemproxy.core.errors import BadRequest
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.target import Given, Target

BASE = URL("https://upstream.example")
PATHS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters=" ?#\\"),
    max_size=30,
)


def aimed(raw: str) -> Target:
    path, _, query = raw.partition("?")
    return Target.of(path, query)


def up(raw: str, base: URL = BASE) -> URL:
    return aimed(raw).on(base)


def test_a_target_does_not_print_its_credential() -> None:
    target = Target("/", credential=Credential.api_key("test-key"))

    assert "test-key" not in repr(target)


@pytest.mark.parametrize("raw", ["/v1/m", "//v1/m", "///v1/m"])
def test_leading_slashes_collapse(raw: str) -> None:
    assert str(up(raw)) == "https://upstream.example/v1/m"


@pytest.mark.parametrize("base", ["https://gate.example/a/b", "https://gate.example/a/b/"])
def test_the_path_of_the_base_comes_first(base: str) -> None:
    assert str(up("/v1/m?x=1", URL(base))) == "https://gate.example/a/b/v1/m?x=1"


@pytest.mark.parametrize(
    "raw",
    [
        "/v1/a%2Fb:c?x=%zz&y=a+b&&z",
        "/v1//double//slash/",
        "/v1/m?alt=sse&keyed=1&monkey=2",
        "/v1/m:streamGenerateContent?$alt=json;enum-encoding=int",
        "/v1/%E4%BD%A0/\u4f60",
    ],
)
def test_everything_but_the_credential_is_kept_byte_for_byte(raw: str) -> None:
    assert raw == up(raw).raw_path_qs


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("key=k", ""),
        ("key=k&alt=sse", "?alt=sse"),
        ("alt=sse&key=k", "?alt=sse"),
        ("a=%2B&key=k&b=+&key=second", "?a=%2B&b=+"),
        ("k%65y=k&a", "?a"),
        ("key=&key=k", ""),
        ("access_token=AIzaTest&a=1", "?a=1"),
        ("oauth_token=AQ.test", ""),
    ],
)
def test_an_api_key_is_taken_out_of_the_query(query: str, kept: str) -> None:
    goal = aimed(f"/v1/m?{query}")

    assert f"/v1/m{kept}" == goal.on(BASE).raw_path_qs
    assert goal.credential is not None
    assert goal.credential.header == "x-goog-api-key"


@pytest.mark.parametrize("name", ["access_token", "oauth_token"])
def test_an_oauth_token_moves_from_the_query_to_its_header(name: str) -> None:
    goal = aimed(f"/v1/m?{name}=ya29.t")

    assert Target("/v1/m", credential=Credential("Authorization", "Bearer ya29.t")) == goal


@pytest.mark.parametrize("value", ["", "a%0d%0ab", "%00"])
def test_an_unusable_key_in_the_query_is_dropped(value: str) -> None:
    goal = aimed(f"/v1/m?key={value}")

    assert Target("/v1/m") == goal


@pytest.mark.parametrize(
    ("base", "raw", "path"),
    [
        ("https://u.example", "/models/m:countTokens", "/v1beta/models/m:countTokens"),
        ("https://u.example/", "//tunedModels/m?x=1", "/v1beta/tunedModels/m"),
        ("https://u.example/v1", "/models/m", "/v1/models/m"),
        ("https://u.example/gate", "/models/m", "/gate/models/m"),
        ("https://u.example", "/team/models/m", "/team/models/m"),
        ("https://u.example", "/models", "/models"),
        ("https://u.example", "/v1/models/m", "/v1/models/m"),
    ],
)
def test_a_model_without_a_version_gets_one_where_the_base_cannot_hold_it(
    base: str, raw: str, path: str
) -> None:
    assert up(raw, URL(base)).raw_path == path


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "*",
        "evil.example/x",
        "@evil.example/x",
        "http://evil.example/x",
        "/v1/../x",
        "/..",
        "/v1/%2e%2E/x",
        "/v1/..%2fx",
        "/v1/..\\x",
        "/v1/\x7f",
        "/v1/a b",
        "/v1/a\tb",
        "/v1/\udcff",
    ],
)
def test_a_target_that_is_no_plain_path_is_refused(raw: str) -> None:
    with pytest.raises(BadRequest):
        aimed(raw)


@given(PATHS, PATHS)
def test_no_target_leaves_the_upstream(path: str, query: str) -> None:
    base = URL("https://upstream.example:8443/base")
    try:
        url = up(f"/{path}?{query}", base)
    except BadRequest:
        return

    assert base.origin() == url.origin()
    assert url.raw_path.startswith("/base/")
    assert url.raw_user is None


@given(PATHS.filter(lambda path: ".." not in path and "%" not in path))
def test_a_path_goes_up_as_it_came(path: str) -> None:
    assume(not path.lstrip("/").startswith(("models/", "tunedModels/")))  # these get a version

    assert "/" + path.lstrip("/") == up(f"/{path}").raw_path


def test_a_url_that_was_given_out_is_the_same_on_every_base() -> None:
    url = URL("https://storage.example/session?upload_id=test-key")

    assert Given(url).on(BASE) is url
    assert "test-key" not in repr(Given(url))


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", ""),
        ("alt=sse&key=k", "alt=sse"),
        ("$alt=json;enum-encoding=int&$key=k", "$alt=json;enum-encoding=int"),
        ("a=b&userProject=theirs&%24access_token=k", "a=b"),
        ("$httpHeaders=x-goog-user-project:theirs&pageSize=1", "pageSize=1"),
        ("a=%20b&userProjects=x", "a=%20b&userProjects=x"),
    ],
)
def test_a_lent_target_does_not_say_who_the_client_is(query: str, kept: str) -> None:
    target = Target.of("/v1/m", query).lent()

    assert target == Target("/v1/m", kept)


def test_an_issued_url_is_lent_as_it_is() -> None:
    given = Given(URL("https://upstream.example/u?upload_id=1"), key="0a1b2c3d")

    assert given.lent() is given
