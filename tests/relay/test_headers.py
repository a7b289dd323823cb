"""Headers, targets and credentials: what crosses the proxy, and in which form."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.errors import BadRequest
from gemproxy.relay.headers import (
    Credential,
    Target,
    choose_credential,
    describe,
    downstream_headers,
    is_api_key,
    retry_after,
    target,
    upstream_headers,
    without_query,
)

BASE = URL("https://upstream.example")
PATHS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters=" ?#\\"),
    max_size=30,
)


def up(*pairs: tuple[str, str], identity: bool = False) -> CIMultiDict[str]:
    return upstream_headers(CIMultiDict(pairs), None, identity=identity)


def down(*pairs: tuple[str, str], rewritten: bool = False) -> CIMultiDict[str]:
    return downstream_headers(CIMultiDict(pairs), rewritten=rewritten)


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "Keep-Alive",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    ],
)
def test_hop_by_hop_headers_end_here_both_ways(name: str) -> None:
    assert not up((name, "x"))
    assert not down((name, "x"))


def test_headers_named_by_connection_end_here() -> None:
    named = ("Connection", "close, X-Secret"), ("X-Secret", "1"), ("X-Other", "2")

    assert list(up(*named).items()) == [("X-Other", "2")]
    assert list(down(*named).items()) == [("X-Other", "2")]


def test_every_connection_header_is_read() -> None:
    assert not up(("connection", "a"), ("Connection", "b"), ("A", "1"), ("B", "2"))


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Content-Length",
        "Expect",
        "Cookie",
        "Authorization",
        "x-goog-api-key",
        "X-Forwarded-For",
        "Forwarded",
        "Via",
        "X-Gemproxy-Repair",
    ],
)
def test_what_concerns_only_this_hop_does_not_go_up(name: str) -> None:
    assert not up((name, "x"))


def test_other_request_headers_go_up_in_order_and_with_duplicates() -> None:
    sent = [("X-Goog-Api-Client", "a"), ("X-Many", "1"), ("X-Server-Timeout", "9"), ("X-Many", "2")]

    assert sent == list(up(*sent).items())


def test_identity_replaces_every_accept_encoding() -> None:
    sent = ("Accept-Encoding", "gzip"), ("accept-encoding", "br")

    assert up(*sent, identity=True).getall("Accept-Encoding") == ["identity"]
    assert up(*sent).getall("Accept-Encoding") == ["gzip", "br"]


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\x7f", "\ud800"])
def test_values_that_cannot_be_written_never_pass(bad: str) -> None:
    assert not up(("X-Bad", f"a{bad}b"))
    assert not down(("X-Bad", f"a{bad}b"))
    assert not upstream_headers({}, Credential.api_key(f"k{bad}"), identity=False)


def test_a_byte_that_is_no_utf8_passes_as_it_is() -> None:
    assert up(("X-Name", "T\udcdcR")).getall("X-Name") == ["T\udcdcR"]
    assert down(("X-Name", "T\udcdcR")).getall("X-Name") == ["T\udcdcR"]


@pytest.mark.parametrize("rewritten", [True, False])
@pytest.mark.parametrize(
    ("name", "value", "passed"),
    [
        ("Location", "https://g.example/x?a=b&key=test-key", "https://g.example/x?a=b"),
        ("location", "/x?%6bey=test-key", "/x"),
        ("Location", "/x?oauth_token=test-key&b=%20", "/x?b=%20"),
        ("Content-Location", "/x?access_token=test-key", "/x"),
        ("Location", "/login?next=%2Fx%3Fkey%3Dtest-key&b=%3f", "/login?next=%2Fx&b=%3f"),
        ("Location", "/login?next=/x?a=1;b&key=test-key", "/login?next=/x?a=1;b"),
        ("Location", "/login?next=/x?key=test-key", "/login?next=%2Fx"),
        ("X-Goog-Upload-URL", "https://g.example/u?key=test-key&upload_id=1", None),
        ("Link", '</x?pageToken=2&key=test-key>; rel="next", </y>', None),
        ("Refresh", "0; URL=/x?key=test-key", "0; URL=/x"),
        ("X-Other", "?key=is no credential", "?key=is no credential"),
    ],
)
def test_no_url_of_an_answer_holds_a_credential(
    name: str, value: str, passed: str | None, *, rewritten: bool
) -> None:
    sent = down((name, "/first"), (name, value), rewritten=rewritten).getall(name)

    assert sent[0] == "/first"
    assert "test-key" not in sent[1]
    assert passed in (None, sent[1])
    assert sent[1].endswith(value[-3:]) or passed is not None


def test_answers_lose_cookies_and_alternative_services() -> None:
    kept = ("Server-Timing", "t"), ("Vary", "Origin"), ("Vary", "X-Origin")

    assert list(kept) == list(down(*kept, ("Set-Cookie", "a"), ("Alt-Svc", "h3")).items())


def test_a_rewritten_body_loses_its_length_and_coding() -> None:
    exact = ("Content-Length", "5"), ("Content-Encoding", "gzip")

    assert list(exact) == list(down(*exact).items())
    assert not down(*exact, rewritten=True)


@pytest.mark.parametrize(
    ("headers", "in_query", "expected"),
    [
        ({}, None, None),
        ({"X-Goog-Api-Key": "k"}, None, ("x-goog-api-key", "k")),
        ({"x-goog-api-key": "k", "Authorization": "Bearer ya29.t"}, "q", ("x-goog-api-key", "k")),
        ({}, "q", ("x-goog-api-key", "q")),
        ({"Authorization": "Bearer AIzaTest"}, None, ("x-goog-api-key", "AIzaTest")),
        ({"Authorization": "bearer  AQ.test"}, None, ("x-goog-api-key", "AQ.test")),
        ({"Authorization": "Bearer AIzaTest"}, "q", ("x-goog-api-key", "q")),
        ({"Authorization": "Bearer ya29.t"}, "q", ("Authorization", "Bearer ya29.t")),
        ({"Authorization": "Bearer ey.j.w"}, None, ("Authorization", "Bearer ey.j.w")),
        ({"Authorization": "Token auth_tokens/t"}, None, ("Authorization", "Token auth_tokens/t")),
        ({"Authorization": "Basic dGVzdA=="}, None, ("Authorization", "Basic dGVzdA==")),
        ({"Authorization": "Basic dGVzdA=="}, "q", ("x-goog-api-key", "q")),
        ({"Authorization": "Bearer"}, None, None),
        ({"x-goog-api-key": " "}, None, None),
    ],
)
def test_one_credential_is_chosen(
    headers: dict[str, str], in_query: str | None, expected: tuple[str, str] | None
) -> None:
    query = Credential.api_key(in_query) if in_query else None

    chosen = choose_credential(CIMultiDict(headers), query)

    assert expected == (chosen and (chosen.header, chosen.value))


def test_exactly_one_credential_goes_up() -> None:
    sent = CIMultiDict({"Authorization": "Bearer ya29.t", "x-goog-api-key": "k"})

    headers = upstream_headers(sent, choose_credential(sent, None), identity=False)

    assert list(headers.items()) == [("x-goog-api-key", "k")]


def test_the_openai_routes_take_a_key_as_bearer_and_the_others_do_not() -> None:
    key = Credential.api_key("k")

    assert Credential("Authorization", "Bearer k") == key.for_path("/v1beta/openai/models")
    assert key == key.for_path("/v1beta/models")


def test_an_oauth_token_stays_what_it_is_on_every_route() -> None:
    token = Credential("Authorization", "Bearer ya29.t")

    assert token == token.for_path("/v1beta/openai/models")


@pytest.mark.parametrize(
    "credential",
    [
        Credential.api_key("auth_tokens/t"),
        Credential("Authorization", "Bearer auth_tokens/t"),
        Credential("Authorization", "Token auth_tokens/t"),
    ],
)
def test_an_ephemeral_token_has_its_own_scheme(credential: Credential) -> None:
    expected = Credential("Authorization", "Token auth_tokens/t")

    assert credential.for_path("/ws/any") == expected


def test_a_credential_does_not_print_its_value() -> None:
    assert "test-key" not in repr(Target(BASE, Credential.api_key("test-key")))


@pytest.mark.parametrize("raw", ["/v1/m", "//v1/m", "///v1/m"])
def test_leading_slashes_collapse(raw: str) -> None:
    assert str(target(BASE, raw).url) == "https://upstream.example/v1/m"


@pytest.mark.parametrize("base", ["https://gate.example/a/b", "https://gate.example/a/b/"])
def test_the_path_of_the_base_comes_first(base: str) -> None:
    assert str(target(URL(base), "/v1/m?x=1").url) == "https://gate.example/a/b/v1/m?x=1"


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
    assert raw == target(BASE, raw).url.raw_path_qs


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
    goal = target(BASE, f"/v1/m?{query}")

    assert f"/v1/m{kept}" == goal.url.raw_path_qs
    assert goal.credential is not None
    assert goal.credential.header == "x-goog-api-key"


@pytest.mark.parametrize("name", ["access_token", "oauth_token"])
def test_an_oauth_token_moves_from_the_query_to_its_header(name: str) -> None:
    goal = target(BASE, f"/v1/m?{name}=ya29.t")

    assert Target(BASE / "v1/m", Credential("Authorization", "Bearer ya29.t")) == goal


@pytest.mark.parametrize("value", ["", "a%0d%0ab", "%00"])
def test_an_unusable_key_in_the_query_is_dropped(value: str) -> None:
    goal = target(BASE, f"/v1/m?key={value}")

    assert Target(BASE / "v1/m") == goal


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
    assert target(URL(base), raw).url.raw_path == path


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
        target(BASE, raw)


@given(PATHS, PATHS)
def test_no_target_leaves_the_upstream(path: str, query: str) -> None:
    base = URL("https://upstream.example:8443/base")
    try:
        url = target(base, f"/{path}?{query}").url
    except BadRequest:
        return

    assert base.origin() == url.origin()
    assert url.raw_path.startswith("/base/")
    assert url.raw_user is None


@given(PATHS.filter(lambda path: ".." not in path and "%" not in path))
def test_a_path_goes_up_as_it_came(path: str) -> None:
    assume(not path.lstrip("/").startswith(("models/", "tunedModels/")))  # these get a version

    assert "/" + path.lstrip("/") == target(BASE, f"/{path}").url.raw_path


def test_keys_are_told_from_tokens_by_their_prefix() -> None:
    assert is_api_key("AIzaTest")
    assert is_api_key("AQ.test")
    assert not is_api_key("ya29.test")
    assert not is_api_key("eyJ.AIza")


def test_described_headers_hold_no_secret() -> None:
    headers = CIMultiDict(
        {
            "x-goog-api-key": "test-key",
            "Authorization": "Bearer test-key",
            "Cookie": "test-key",
            "X-Goog-Upload-URL": "https://upstream.example/up?key=test-key",
            "Accept": "*/*",
        }
    )

    described = describe(headers)

    assert "test-key" not in str(described)
    assert described["X-Goog-Upload-URL"] == "https://upstream.example/up"
    assert described["Accept"] == "*/*"


def test_a_logged_target_has_no_query() -> None:
    assert without_query("/v1/m?key=test-key") == "/v1/m"


NOW = "Sat, 28 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 20 ", 20),
        ("Sat, 28 Nov 2026 10:00:20 GMT", 20),
        ("Saturday, 28-Nov-26 10:01:00 GMT", 60),
        ("Sat Nov 28 10:00:05 2026", 5),
        ("Sat, 28 Nov 2026 09:00:00 GMT", 0),
        *((odd, None) for odd in ("", "-1", "1.5", "²", "soon", "Sat, 99 Nov 2026 10:00:20 GMT")),
    ],
)
def test_a_wait_is_told_in_seconds_or_by_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value, "Date": NOW}) == seconds


def test_a_date_says_nothing_without_the_date_of_the_answer() -> None:
    assert retry_after({"Retry-After": "Sat, 28 Nov 2026 10:00:20 GMT"}) is None
    assert retry_after({"Retry-After": "Sat, 28 Nov 2026 10:00:20 GMT", "Date": "now"}) is None
    assert retry_after({}) is None
