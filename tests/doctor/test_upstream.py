"""What an answer of the upstream, or its absence, says about the way and about our clock."""

import json
from email.utils import formatdate
from typing import Any

import pytest
from yarl import URL

from gemproxy.doctor.asking import Answer, Kind, Seen, Trouble, answer_of
from gemproxy.doctor.upstream import judge, judge_clock

BASE = URL("https://upstream.example")
NOW = 1_795_000_000.0
ERROR = json.dumps({"error": {"code": 403, "message": "x", "status": "PERMISSION_DENIED"}}).encode()
HTML = {"Content-Type": "text/html; charset=utf-8"}


def said(status: int, body: bytes = ERROR, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer_of(status, body, named, NOW)


@pytest.mark.parametrize(
    "answer",
    [
        said(403),
        said(401),
        said(400),
        said(429),
        said(200, b'{"models": []}'),
        said(200, b"{}"),
    ],
)
def test_the_gemini_api_is_known_by_its_form(answer: Answer) -> None:
    assert judge(Seen(answer), BASE, has_proxy=False).status == "ok"


@pytest.mark.parametrize(
    ("answer", "base", "words", "advice"),
    [
        (said(404, b"not found"), BASE, "no /v1beta/models", "upstream.url_base"),
        (said(404), BASE / "v1beta", "ends with '/v1beta'", "https://upstream.example"),
        (said(404), BASE / "gw" / "v1beta", "ends with '/gw/v1beta'", "example/gw"),
        (said(200, b"<!doctype html>"), BASE, "an HTML page (status 200)", "url_base"),
        (said(502, b"<html>", Content_Type="text/html"), BASE, "an HTML page", "url_base"),
        (said(200, b"[1]"), BASE, "JSON of another kind", "url_base"),
        (said(200, b"hello"), BASE, "something else", "url_base"),
        (said(200, b""), BASE, "nothing (status 200)", "url_base"),
        (said(302, b"", Location="https://login.example/x?key=1"), BASE, "to login.example", ""),
        (said(407, b""), BASE, "wants a user and a password", "upstream.proxy"),
    ],
)
def test_anything_else_is_a_fault(answer: Answer, base: URL, words: str, advice: str) -> None:
    verdict = judge(Seen(answer), base, has_proxy=False)

    assert verdict.status == "fault"
    assert words in verdict.message
    assert advice in verdict.advice


@pytest.mark.parametrize(
    ("answer", "base", "words"),
    [
        (said(503), BASE, "status 503"),
        (said(403), BASE / "v1beta", "SDKs add the version once more"),
    ],
)
def test_what_may_pass_is_a_warning(answer: Answer, base: URL, words: str) -> None:
    verdict = judge(Seen(answer), base, has_proxy=False)

    assert verdict.status == "warning"
    assert words in verdict.message


@pytest.mark.parametrize(
    ("trouble", "words", "advice"),
    [
        (Trouble(Kind.NAME), "the name of the host is unknown", "name servers"),
        (Trouble(Kind.REFUSED, "Connection refused"), "Connection refused", "upstream.proxy"),
        (Trouble(Kind.SILENT), "there is no answer", "firewall"),
        (Trouble(Kind.PROXY), "the proxy on the way out", "correct upstream.proxy"),
        (Trouble(Kind.PROXY_REFUSES, code=407), "a user and a password", "USER:PASSWORD"),
        (Trouble(Kind.PROXY_REFUSES, code=403), "does not connect", "allow the host"),
        (Trouble(Kind.TLS), "TLS fails", "scheme"),
        (Trouble(Kind.BROKEN), "the connection breaks", "scheme"),
        (Trouble(Kind.CERTIFICATE, "unable to get issuer", 20), "unable to", "SSL_CERT_FILE"),
        (Trouble(Kind.CERTIFICATE, "self-signed", 18), "self-signed", "SSL_CERT_FILE"),
        (Trouble(Kind.CERTIFICATE, "expired", 10), "expired", "clock"),
        (Trouble(Kind.CERTIFICATE, "hostname mismatch", 62), "hostname", "correct the host"),
    ],
)
def test_each_trouble_has_its_advice(trouble: Trouble, words: str, advice: str) -> None:
    verdict = judge(Seen(trouble), BASE, has_proxy=False)

    assert verdict.status == "fault"
    assert words in verdict.message
    assert advice in verdict.advice


@pytest.mark.parametrize(
    ("leads", "words"), [(True, "it leads there"), (False, "does not lead there now")]
)
def test_a_proxy_that_only_the_environment_names_is_told(*, leads: bool, words: str) -> None:
    verdict = judge(Seen(Trouble(Kind.NAME), by_environment=leads), BASE, has_proxy=False)

    assert "HTTPS_PROXY" in verdict.message
    assert words in verdict.message
    assert verdict.advice.startswith("set upstream.proxy to env")


@pytest.mark.parametrize(
    ("off", "status", "words"),
    [
        (0, "ok", "agrees"),
        (29, "ok", "agrees"),
        (-29, "ok", "agrees"),
        (90, "warning", "90 seconds ahead of"),
        (-90, "warning", "90 seconds behind"),
        (3600 * 5, "fault", "5 hours ahead of"),
        (-86400 * 400, "fault", "400 days behind"),
    ],
)
def test_the_clock_is_compared_with_the_upstream_s(off: int, status: str, words: str) -> None:
    verdict = judge_clock(Seen(said(403, Date=formatdate(NOW - off, usegmt=True))))

    assert verdict.status == status
    assert words in verdict.message


def test_a_cached_answer_says_how_old_it_is() -> None:
    answer = said(200, Date=formatdate(NOW - 7200, usegmt=True), Age="7200")

    assert judge_clock(Seen(answer)).status == "ok"


@pytest.mark.parametrize("headers", [{}, {"Date": "soon"}, {"Date": "Thu, 99 Foo 2026 x"}])
def test_without_a_date_the_clock_is_not_judged(headers: dict[str, Any]) -> None:
    assert judge_clock(Seen(said(403, **headers))).status == "skipped"


def test_a_server_whose_certificate_our_clock_refuses_shows_its_clock() -> None:
    refused = Trouble(Kind.CERTIFICATE, "certificate is not yet valid", 9)
    shown = said(403, Date=formatdate(NOW + 86400 * 30, usegmt=True))

    assert judge_clock(Seen(refused)).status == "skipped"
    assert "30 days behind" in judge_clock(Seen(refused, unverified=shown)).message
