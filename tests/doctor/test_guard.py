"""Who may call, and who reaches the port: each fault, and its absence."""

from pathlib import Path

import pytest

from tests.doctor.conftest import STRONG, Doctor

KEY = {"GEMINI_API_KEY": "AIza-one"}


async def test_a_pool_without_access_keys_is_a_fault_with_the_words_of_the_start(
    doctor: Doctor,
) -> None:
    report = await doctor(**KEY)

    assert "everybody who reaches gemproxy could spend" in report.faults["access"]
    assert report.one("access").advice.startswith("set PASSWORD or access.keys")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("password", "is well known"),
        ("Kq2mXv9", "has fewer than 16 characters"),
        ("aaaaaaaaaaaaaaaaaaaa", "has too little variety"),
    ],
)
async def test_a_weak_access_key_is_a_fault(doctor: Doctor, password: str, words: str) -> None:
    report = await doctor(**KEY, PASSWORD=password)

    assert words in report.faults["access"]
    assert password not in report.text


async def test_a_strong_access_key_is_silent(doctor: Doctor) -> None:
    report = await doctor(**KEY, PASSWORD=STRONG)

    assert report.faults == {}
    assert report.one("access").message == "1 access key in the settings"


async def test_an_open_pool_is_said(doctor: Doctor) -> None:
    assert "open" in (await doctor(**KEY, GEMPROXY_POOL_OPEN="true")).one("access").message


@pytest.mark.parametrize(
    ("secret", "status"), [("changeme-changeme", "fault"), ("Zq81mK02Wp39vB7x-Rt5", "ok")]
)
async def test_an_admin_secret_that_can_be_guessed_is_a_fault(
    doctor: Doctor, secret: str, status: str
) -> None:
    report = await doctor(**KEY, PASSWORD=STRONG, GEMPROXY_ADMIN_SECRET=secret)

    assert {one.status for one in report.of("access")} == {status}


async def test_an_admin_secret_that_is_an_access_key_is_a_fault(doctor: Doctor) -> None:
    report = await doctor(**KEY, PASSWORD=STRONG, GEMPROXY_ADMIN_SECRET=STRONG)

    assert "access" in report.faults


async def test_a_weak_secret_of_the_store_is_a_warning(doctor: Doctor) -> None:
    report = await doctor(**KEY, PASSWORD=STRONG, GEMPROXY_SECRET_KEY="secret123")

    assert report.one("access").status == "warning"
    assert "secret123" not in report.text


async def test_a_public_address_without_access_keys_is_a_fault(doctor: Doctor) -> None:
    report = await doctor(HOST="0.0.0.0")

    assert "lets other machines in" in report.faults["bind"]
    assert report.one("bind").advice.startswith("listen on 127.0.0.1")


async def test_an_open_pool_on_a_public_address_is_a_fault(doctor: Doctor) -> None:
    assert "bind" in (await doctor(**KEY, GEMPROXY_POOL_OPEN="true", HOST="0.0.0.0")).faults


async def test_a_public_address_without_tls_is_a_warning(doctor: Doctor) -> None:
    report = await doctor(**KEY, PASSWORD=STRONG, HOST="0.0.0.0")

    assert report.one("bind").status == "warning"
    assert "without TLS" in report.one("bind").message


@pytest.mark.parametrize(
    "variables",
    [
        {"HOST": "127.0.0.1"},
        {"HOST": "0.0.0.0", "GEMPROXY_PUBLIC_URL": "https://gemini.example"},
        {"HOST": "0.0.0.0", "GEMPROXY_TRUSTED_PROXIES": "10.0.0.0/8"},
    ],
)
async def test_loopback_and_tls_in_front_are_silent(
    doctor: Doctor, tmp_path: Path, variables: dict[str, str]
) -> None:
    assert (await doctor(**KEY, PASSWORD=STRONG, **variables)).one("bind").status == "ok"


ADMIN = {"GEMPROXY_ADMIN_PORT": "9001", "GEMPROXY_ADMIN_SECRET": "w7Kq2mXv9TzRw4Lp8sDfGh3J"}
FIGURES = {"GEMPROXY_METRICS_PORT": "9002"}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({**ADMIN, "GEMPROXY_ADMIN_HOST": "0.0.0.0"}, "the operator's secret passes the network"),
        ({**FIGURES, "GEMPROXY_METRICS_HOST": "::"}, "no secret guards it"),
    ],
)
async def test_the_other_ports_are_judged_too(
    doctor: Doctor, variables: dict[str, str], words: str
) -> None:
    report = await doctor(**KEY, PASSWORD=STRONG, **variables)

    warned = [one.message for one in report.of("bind") if one.status == "warning"]
    assert len(warned) == 1
    assert words in warned[0]


async def test_an_admin_api_for_all_without_a_secret_is_a_fault(doctor: Doctor) -> None:
    report = await doctor(GEMPROXY_ADMIN_PORT="9001", GEMPROXY_ADMIN_HOST="0.0.0.0")

    assert "nothing guards the admin API" in report.faults["bind"]


@pytest.mark.parametrize(
    "variables",
    [
        {**ADMIN, **FIGURES},
        {"GEMPROXY_ADMIN_HOST": "0.0.0.0", "GEMPROXY_METRICS_HOST": "0.0.0.0"},
        {**FIGURES, "GEMPROXY_METRICS_HOST": "0.0.0.0", "GEMPROXY_METRICS_ENABLED": "false"},
    ],
)
async def test_other_ports_on_loopback_or_unused_are_silent(
    doctor: Doctor, variables: dict[str, str]
) -> None:
    report = await doctor(**KEY, PASSWORD=STRONG, **variables)

    assert {one.status for one in report.of("bind")} == {"ok"}
