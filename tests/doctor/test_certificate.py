"""The proxy's own certificate."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gemproxy.doctor.certificate import SOON, judge
from gemproxy.doctor.finding import Verdict
from tests.certificates import key_pem, make, new_key
from tests.doctor.conftest import Doctor

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def judged(begins: timedelta, ends: timedelta) -> Verdict:
    """Return the verdict about a certificate that begins and ends so long after now."""
    certificate: Any = SimpleNamespace(
        not_valid_before_utc=NOW + begins, not_valid_after_utc=NOW + ends
    )
    return judge(certificate, NOW)


@pytest.mark.parametrize(
    ("left", "status"),
    [
        (SOON, "ok"),
        (SOON - timedelta(hours=1), "warning"),
        (timedelta(seconds=1), "warning"),
        (-timedelta(seconds=1), "fault"),
    ],
)
def test_a_certificate_is_judged_by_its_end(left: timedelta, status: str) -> None:
    assert judged(-SOON, left).status == status


def test_a_certificate_of_the_future_is_a_fault() -> None:
    verdict = judged(timedelta(days=1), timedelta(days=90))

    assert verdict.status == "fault"
    assert "clock" in verdict.advice


async def test_an_old_certificate_is_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    old = make(tmp_path, expired=True)
    report = await doctor("--tls-cert", old.cert, "--tls-key", old.key)

    assert "ended on" in report.faults["tls"]


async def test_a_certificate_that_ends_soon_is_a_warning(doctor: Doctor, tmp_path: Path) -> None:
    new = make(tmp_path)  # for a day

    assert (await doctor("--tls-cert", new.cert, "--tls-key", new.key)).one("tls").status == (
        "warning"
    )


async def test_a_key_of_another_certificate_is_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    new = make(tmp_path)
    (tmp_path / "server.key").write_bytes(key_pem(new_key()))
    report = await doctor("--tls-cert", new.cert, "--tls-key", new.key)

    assert "does not belong to the certificate" in report.faults["tls"]
    assert len(report.of("tls")) == 1


async def test_without_tls_there_is_nothing_to_judge(doctor: Doctor) -> None:
    assert (await doctor()).one("tls").status == "ok"
