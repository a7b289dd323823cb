"""Headers: what crosses the proxy, and in which form."""

import pytest
from multidict import CIMultiDict

from gemproxy.exchange.credential import Credential, choose_credential
from gemproxy.relay.headers import downstream_headers, retry_after, upstream_headers


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


@pytest.mark.parametrize("name", ["Transfer-Encoding ", "Content-Length  ", "Connection "])
def test_a_name_with_a_blank_frames_no_message_of_ours(name: str) -> None:
    assert list(down((name, "1"), ("X-A", "1")).items()) == [("X-A", "1")]


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
        "traceparent",
        "TraceState",
        "baggage",
        "b3",
        "X-B3-TraceId",
        "uber-trace-id",
        "sentry-trace",
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


def test_exactly_one_credential_goes_up() -> None:
    sent = CIMultiDict({"Authorization": "Bearer ya29.t", "x-goog-api-key": "k"})

    headers = upstream_headers(sent, choose_credential(sent, None), identity=False)

    assert list(headers.items()) == [("x-goog-api-key", "k")]


def test_with_a_lent_key_nothing_goes_up_that_says_who_the_client_is() -> None:
    sent = CIMultiDict(
        {
            "X-Goog-User-Project": "theirs",
            "X-Api-Key": "k",
            "Api-Key": "k",
            "Cookie": "k",
            "Referer": "https://proxy.test/v1beta/files/a:download?key=k",
            "x-goog-api-client": "sdk",
        }
    )

    lent = upstream_headers(sent, Credential.api_key("pool"), identity=False, lent=True)
    own = upstream_headers(sent, None, identity=False)

    assert list(lent.items()) == [("x-goog-api-client", "sdk"), ("x-goog-api-key", "pool")]
    assert "X-Goog-User-Project" in own


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
