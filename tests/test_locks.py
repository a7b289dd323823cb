"""The locks: every dependency pinned by hash, one set inside the other, and no address in any."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
NODE_LOCK = "tests/sdk/package-lock.json"


def pins(name: str) -> dict[str, str]:
    """Return what a requirements file pins: each project's name with its version and marker."""
    found = re.findall(r"^(\S+)==(.+?) \\$", (ROOT / name).read_text(), re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_line_is_a_pin_a_hash_or_a_comment(name: str) -> None:
    pattern = re.compile(r"\S+==.+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?| +#.*")

    strangers = [
        line for line in (ROOT / name).read_text().splitlines() if not pattern.fullmatch(line)
    ]

    assert strangers == []


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_no_requirements_file_names_a_host(name: str) -> None:
    assert "://" not in (ROOT / name).read_text()


def test_the_tests_run_on_the_versions_that_are_served() -> None:
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


def test_every_declared_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = {
        file: {re.split(r"[^\w.-]", line)[0] for line in lines}
        for file, lines in zip(
            REQUIREMENTS,
            (project["project"]["dependencies"], project["dependency-groups"]["dev"]),
            strict=True,
        )
    }

    assert {file: names - pins(file).keys() for file, names in declared.items()} == {
        file: set() for file in REQUIREMENTS
    }


def test_the_javascript_lock_has_hashes_and_no_registry() -> None:
    packages = json.loads((ROOT / NODE_LOCK).read_text())["packages"]
    installed = {path: package for path, package in packages.items() if path}

    assert [path for path, package in installed.items() if "integrity" not in package] == []
    assert [path for path, package in installed.items() if "resolved" in package] == []
