"""Settings and prices, as the sources have them."""

from pathlib import Path

from tests.doctor.conftest import STRONG, Doctor


async def test_every_wrong_setting_is_told_at_once(doctor: Doctor) -> None:
    report = await doctor(
        "--max-connections", "0", GEMPROXY_LOGGING_LEVEL="loud", GEMPROXY_WORKRS="2"
    )
    told = report.of("settings")

    assert [one.status for one in told] == ["fault"] * 3
    words = " ".join(f"{one.message} {one.advice}" for one in told)
    assert all(
        name in words
        for name in ("server.max_connections", "logging.level", "GEMPROXY_WORKRS", "flag --max")
    )
    assert report.code == 1


async def test_what_needs_a_wrong_setting_is_skipped_and_the_rest_is_not(doctor: Doctor) -> None:
    report = await doctor(PORT="none")

    assert "server.port" in report.one("settings").message
    assert report.one("port").status == "skipped"
    assert "depends on server.port" in report.one("port").message
    assert report.one("keys").status == "ok"


async def test_settings_that_are_probably_not_meant_are_warnings(doctor: Doctor) -> None:
    report = await doctor(PASSWORD=STRONG)

    assert report.one("settings").status == "warning"
    assert "guards nothing" in report.one("settings").message
    assert report.code == 0


async def test_a_file_that_is_not_toml_is_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "conf" / "gemproxy.toml").write_text("[server\n")

    assert "is not TOML" in (await doctor()).faults["settings"]


async def test_prices_that_cannot_be_read_are_a_fault(doctor: Doctor, tmp_path: Path) -> None:
    missing = await doctor(GEMPROXY_ACCOUNTS_PRICES="nowhere.toml")
    (tmp_path / "prices.toml").write_text("[")
    wrong = await doctor(GEMPROXY_ACCOUNTS_PRICES="prices.toml")

    assert "cannot be read" in missing.faults["prices"]
    assert len(missing.of("prices")) == 1
    assert "prices" in wrong.faults


async def test_the_prices_that_come_with_gemproxy_are_silent(doctor: Doctor) -> None:
    assert (await doctor()).one("prices").status == "ok"
