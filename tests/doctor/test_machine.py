"""What the proxy stands on: each fault, and its absence."""

import resource
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gemproxy.config import starting
from gemproxy.doctor import machine
from gemproxy.doctor.machine import FLOORS, judge_descriptors, judge_libraries, judge_python
from tests.doctor.conftest import STRONG, Doctor

ROOT = Path(__file__).resolve().parents[2]


def test_an_old_python_is_a_fault() -> None:
    assert judge_python((3, 10, 9)).status == "fault"
    assert judge_python((3, 11, 0)).status == "ok"
    assert judge_python((3, 14, 1)).status == "ok"


@pytest.mark.parametrize("release", ["3.13.9", "3.14.4", ""])
def test_an_old_or_missing_library_is_a_fault(release: str) -> None:
    (found,) = judge_libraries({**FLOORS, "aiohttp": release})

    assert (found.status, found.advice) == ("fault", "pip install --upgrade 'aiohttp>=3.14.5'")


@pytest.mark.parametrize("release", ["3.14.5", "3.15.0", "4.0", "3.14.10+local"])
def test_a_library_that_is_new_enough_is_silent(release: str) -> None:
    assert judge_libraries({**FLOORS, "aiohttp": release}) == []


def test_the_floors_are_those_of_the_project() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8").lower()

    assert all(f'"{name.lower()}>={floor}"' in project for name, floor in FLOORS.items())


async def test_a_parser_that_is_not_in_c_is_a_fault(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await doctor()).one("parser").status == "ok"
    monkeypatch.setattr(machine, "parses_in_c", lambda: False)
    found = (await doctor()).one("parser")

    assert found.status == "fault"
    assert "AIOHTTP_NO_EXTENSIONS" in found.advice


async def test_a_missing_uvloop_is_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "find_spec", lambda _: None)

    assert (await doctor()).one("loop").status == "warning"


@pytest.mark.parametrize(
    ("limit", "status"),
    [(None, "ok"), (2064, "ok"), (2063, "warning"), (1000, "warning"), (999, "fault")],
)
def test_the_limit_of_open_files_is_measured_by_the_connections(
    limit: int | None, status: str
) -> None:
    assert judge_descriptors(limit, 1000).status == status


async def test_the_limit_is_that_of_the_process(doctor: Doctor) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    report = await doctor("--max-connections", str(soft + 1))

    assert report.one("descriptors").status == "fault"
    assert (await doctor("--max-connections", "1")).one("descriptors").status == "ok"


@pytest.mark.parametrize(
    ("extra", "variables"),
    [
        ("postgres", {"DATABASE_URL": "postgresql://u@127.0.0.1:1/x"}),
        ("otel", {"GEMPROXY_TRACING_ENABLED": "true"}),
        (
            "socks",
            {
                "GEMPROXY_POOL_PROJECTS": '{"lab": ["AIza-one"]}',
                "GEMPROXY_POOL_PROXIES": '{"lab": "socks5://127.0.0.1:1"}',
                "PASSWORD": STRONG,
            },
        ),
    ],
)
async def test_a_missing_extra_is_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, extra: str, variables: dict[str, str]
) -> None:
    def spec(name: str) -> Any:
        return None if name == machine.MODULES[extra] else find_spec(name)

    monkeypatch.setattr(machine, "find_spec", spec)
    monkeypatch.setattr(starting, "find_spec", spec)
    missing = await doctor(**variables)
    monkeypatch.setattr(machine, "find_spec", lambda _: True)
    monkeypatch.setattr(starting, "find_spec", lambda _: True)
    there = await doctor(**variables)

    assert there.one("extras").message == f"installed: {extra}"
    assert missing.one("extras").status == "fault"
    assert missing.one("extras").advice == f"pip install 'gemproxy[{extra}]'"
