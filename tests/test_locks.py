"""The locks: every dependency pinned by hash, one set inside the other, and no address in any."""

import email.message
import importlib.metadata
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tests.pins import Pin, holds, pins, unpinned

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
LOCKS = (*REQUIREMENTS, "tests/sdk/langchain.txt", "tests/sdk/chat/clients.txt")
NODE_LOCKS = ("tests/sdk/package-lock.json", "tests/browser/package-lock.json")


class Installed(importlib.metadata.Distribution):
    """A package as it might be installed: its name and what it asks for."""

    def __init__(self, name: str, *requires: str) -> None:
        self._message = email.message.Message()
        self._message["Name"] = name
        for requirement in requires:
            self._message["Requires-Dist"] = requirement

    @property
    def metadata(self) -> Any:
        return self._message

    def read_text(self, filename: str) -> None:
        return None

    def locate_file(self, path: object) -> Any:
        return Path()


def pinned_by(*lines: str) -> dict[NormalizedName, Pin]:
    return pins("".join(f"{line} \\\n" for line in lines))


def pinned_in(name: str) -> dict[NormalizedName, Pin]:
    return pins((ROOT / name).read_text())


def declared(project: dict[str, Any]) -> dict[str, list[Requirement]]:
    """Return what ``pyproject.toml`` asks for, by the requirements file that pins it."""
    lines = (project["project"]["dependencies"], project["dependency-groups"]["dev"])
    return {
        file: [Requirement(line) for line in asked]
        for file, asked in zip(REQUIREMENTS, lines, strict=True)
    }


@pytest.fixture
def project() -> dict[str, Any]:
    """Return what stands in ``pyproject.toml``."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_a_pin_a_hash_or_a_comment(name: str) -> None:
    pattern = re.compile(r"\S+==.+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?| +#.*")

    strangers = [
        line for line in (ROOT / name).read_text().splitlines() if not pattern.fullmatch(line)
    ]

    assert strangers == []


@pytest.mark.parametrize("name", LOCKS)
def test_no_requirements_file_names_a_host(name: str) -> None:
    assert "://" not in (ROOT / name).read_text()


def test_the_tests_run_on_the_versions_that_are_served() -> None:
    served, tested = (
        {name: pin.version for name, pin in pinned_in(file).items()} for file in REQUIREMENTS
    )

    assert served.items() <= tested.items()


def test_every_declared_dependency_is_pinned(project: dict[str, Any]) -> None:
    missing = {
        (file, requirement.name)
        for file, requirements in declared(project).items()
        for requirement in requirements
        if canonicalize_name(requirement.name) not in pinned_in(file)
    }

    assert missing == set()


def test_every_declared_extra_is_pinned(project: dict[str, Any]) -> None:
    missing = {
        (file, str(requirement))
        for file, requirements in declared(project).items()
        for requirement in requirements
        if not holds(pinned_in(file), requirement)
    }

    assert missing == set()


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_what_a_pinned_package_asks_for_with_extras_is_pinned_with_them(name: str) -> None:
    assert unpinned(pinned_in(name), importlib.metadata.distributions()) == []


@pytest.mark.parametrize(
    ("requirement", "missing"),
    [
        ("auth[requests]", False),
        ("auth[Requests]>=1; extra == 'chosen'", False),
        ("auth[grpc]; python_version < '3.11'", False),
        ("auth[grpc]; extra == 'other'", False),
        ("unix; sys_platform == 'linux'", False),
        ("auth", True),
        ("auth[requests,grpc]", True),
        ("auth[grpc]; sys_platform == 'win32'", True),
        ("auth[grpc]; extra == 'chosen'", True),
        ("stranger[x]", True),
    ],
)
def test_what_has_no_line_with_the_same_extras_is_found(requirement: str, missing: bool) -> None:
    lines = ("auth[requests]==1", "genai[chosen]==2", "genai==2")

    found = unpinned(
        pinned_by(*lines), [Installed("genai", requirement), Installed("x", "auth[grpc]")]
    )

    assert bool(found) is missing


def test_each_line_of_a_project_pins_its_own_extras() -> None:
    pinned = pinned_by("auth==1", "auth[requests,Async_IO]==1")

    sets = {frozenset[str](), frozenset({"requests", "async-io"})}
    assert pinned == {"auth": Pin("1", frozenset(sets))}


@pytest.mark.parametrize("name", NODE_LOCKS)
def test_a_javascript_lock_has_hashes_and_no_registry(name: str) -> None:
    packages = json.loads((ROOT / name).read_text())["packages"]
    installed = {path: package for path, package in packages.items() if path}

    assert [path for path, package in installed.items() if "integrity" not in package] == []
    assert [path for path, package in installed.items() if "resolved" in package] == []
