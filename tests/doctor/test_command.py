"""The command as a whole: what it returns, what it prints, and that it changes nothing."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from gemproxy.__main__ import main
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.doctor.command import wants_colour
from gemproxy.doctor.table import CHECKS
from tests.doctor.conftest import STRONG, Doctor

CANARIES: Mapping[str, str] = {
    "GEMINI_API_KEYS": "AIzaSy-canary-of-the-pool-0123456789",
    "PASSWORD": "gp-canary-7Kq2mXv9TzRw4Lp8",
    "GEMPROXY_SECRET_KEY": "canary-secret-key-Zq81mK02",
    "GEMPROXY_ADMIN_SECRET": "canary-admin-secret-Wp39vB7x",
    "GEMPROXY_UPSTREAM_PROXY": "http://canary-user:canary-word@127.0.0.1:1",
    "DATABASE_URL": "postgresql://canary-user:canary-word@127.0.0.1:1/canary-base",
}


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return everything below a folder with its mode, time and content."""
    return {
        str(path): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    }


async def test_without_a_fault_the_exit_code_is_0_and_every_check_is_told(doctor: Doctor) -> None:
    async with ChaosServer(Script(BUILT_IN["story"])) as fake:
        report = await doctor("--upstream.url_base", fake.url)

    assert report.faults == {}
    assert report.code == 0
    assert list(dict.fromkeys(one.check for one in report.findings)) == [c.name for c in CHECKS]
    assert {one.status for one in report.findings} <= {"ok", "skipped", "warning"}


async def test_a_fault_makes_the_exit_code_1_and_has_advice(doctor: Doctor) -> None:
    report = await doctor(PASSWORD="123", GEMINI_API_KEY="AIza-one")

    assert report.code == 1
    assert [one.check for one in report.findings if one.status == "fault"] == ["access"]
    assert all(one.advice for one in report.findings if one.status in {"fault", "warning"})


@pytest.mark.parametrize(
    "flags", [["--prot", "1"], ["--port"], ["--url", "nowhere at all"], ["something"]]
)
async def test_a_wrong_command_line_is_exit_code_2(doctor: Doctor, flags: list[str]) -> None:
    report = await doctor(*flags)

    assert report.code == 2
    assert report.text == ""
    assert report.errors.startswith("gemproxy: ")


def test_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--help"]) == 0
    assert "--offline" in capsys.readouterr().out


async def test_every_row_of_the_json_has_the_same_fields(doctor: Doctor) -> None:
    report = await doctor("--port", "none")

    rows = json.loads(report.text)
    assert {tuple(row) for row in rows} == {("check", "status", "message", "advice")}


async def test_nothing_is_changed_and_nothing_is_made(doctor: Doctor, tmp_path: Path) -> None:
    before = state(tmp_path)
    await doctor(GEMINI_API_KEY="AIza-one", PASSWORD=STRONG)

    assert state(tmp_path) == before


async def test_a_store_and_a_ledger_in_use_are_not_changed(doctor: Doctor, tmp_path: Path) -> None:
    made = ["users", "add", "ann", "--data-dir", "data"]
    assert await asyncio.to_thread(main, made) == 0
    before = state(tmp_path)
    report = await doctor(GEMINI_API_KEY="AIza-one", GEMPROXY_DATA_DIR="data")

    assert report.faults == {}
    assert state(tmp_path) == before


@pytest.mark.parametrize("more", [{}, {"PASSWORD": "canary"}, {"GEMPROXY_PORT": "canary"}])
async def test_no_secret_is_printed(doctor: Doctor, more: Mapping[str, str]) -> None:
    report = await doctor("--online", **{**CANARIES, **more})

    said = (report.text + report.errors).replace("'canary'", "")
    assert report.code == 1
    assert "canary" not in said.replace("canary-base", "")


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    environ: Mapping[str, str],
    colours: bool,
) -> None:
    assert wants_colour(environ) is colours
