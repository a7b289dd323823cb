"""The address for clients: where it leads, and what is in front."""

import pytest
from yarl import URL

from gemproxy import __version__
from gemproxy.doctor.asking import Answer, Kind, Trouble, answer_of
from gemproxy.doctor.public import judge, judge_software
from tests.doctor.conftest import Doctor
from tests.doctor.fronts import front
from tests.running import StartProxy

SECRET = "gp-admin-7Kq2mXv9TzRw4Lp8"
HERE = URL("https://gemini.example")
NOWHERE = "http://127.0.0.1:1"


def health(version: str) -> Answer:
    return answer_of(200, b'{"status": "ok", "version": "%b"}' % version.encode())


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (health(__version__), "ok", "leads to a gemproxy"),
        (health("0.0.1"), "warning", "leads to gemproxy 0.0.1"),
        (answer_of(502, b"<html>"), "fault", "status 502"),
        (answer_of(200, b"{}"), "fault", "not as gemproxy"),
        (Trouble(Kind.NAME), "fault", "the name of the host is unknown"),
        (Trouble(Kind.CERTIFICATE, "expired", 10), "fault", "expired"),
        (Trouble(Kind.REFUSED), "fault", "no connection"),
    ],
)
def test_where_the_address_leads(answer: Answer | Trouble, status: str, words: str) -> None:
    verdict = judge(HERE, answer)

    assert verdict.status == status
    assert words in verdict.message
    assert verdict.advice or status == "ok"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Server": "nginx/1.22.1"}, "proxy_http_version 1.1"),
        ({"Server": "nginx"}, "proxy_http_version 1.1"),
        ({"Server": "lighttpd/1.4.69"}, "stream-response-body"),
        ({"Server": "envoy"}, "timeout: 0s"),
        ({"Via": "1.1 varnish (Varnish/7.1)"}, "pipe"),
    ],
)
def test_software_that_needs_a_setting_is_named(headers: dict[str, str], words: str) -> None:
    (verdict,) = judge_software(headers)

    assert (verdict.status, words in verdict.advice) == ("warning", True)


@pytest.mark.parametrize("server", ["nginx/1.29.7", "nginx/1.31.3", "Caddy", "gemproxy", ""])
def test_other_software_is_silent(server: str) -> None:
    assert judge_software({"Server": server}) == []


async def test_without_an_address_it_is_skipped(doctor: Doctor) -> None:
    assert (await doctor("--online")).one("public-url").status == "skipped"


async def test_without_an_admin_secret_the_rest_is_not_found_out(
    doctor: Doctor, proxy: StartProxy
) -> None:
    running = await proxy(NOWHERE)
    report = await doctor("--online", "--url", running.url)

    assert [one.status for one in report.of("public-url")] == ["ok", "skipped"]
    assert "set admin.secret" in report.of("public-url")[1].advice


@pytest.mark.parametrize(
    ("completes", "statuses"), [(False, ["ok", "ok"]), (True, ["ok", "fault"])]
)
async def test_a_reverse_proxy_that_hides_broken_endings_is_a_fault(
    doctor: Doctor, proxy: StartProxy, *, completes: bool, statuses: list[str]
) -> None:
    running = await proxy(NOWHERE, admin={"secret": SECRET})
    async with front(running.url, completes=completes) as url:
        report = await doctor("--online", "--url", url, GEMPROXY_ADMIN_SECRET=SECRET)
        named = await doctor(GEMPROXY_PUBLIC_URL=url, GEMPROXY_ADMIN_SECRET=SECRET)

    assert [one.status for one in report.of("public-url")] == statuses
    assert SECRET not in report.text
    assert named.one("public-url").status == "skipped"  # offline
