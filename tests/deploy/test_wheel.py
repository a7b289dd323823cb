"""The wheel and the source distribution: they have what they need, and run without the checkout."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.web.test_server import ROOT

PACKAGE = ROOT / "gemproxy"
_NOT_SHIPPED = ("__pycache__",)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with both, built as a release is."""
    folder = tmp_path_factory.mktemp("dist")
    made = subprocess.run(
        [str(Path(sys.executable).with_name("uv")), "build", "--quiet", "--out-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def unpacked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel's files, as pip puts them among the packages."""
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def shipped() -> set[str]:
    """Return the files of the package."""
    return {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.is_file() and not set(_NOT_SHIPPED) & set(path.parts)
    }


def test_the_wheel_has_every_file_of_the_package(unpacked: Path) -> None:
    inside = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}

    assert shipped() <= inside
    assert "gemproxy/conf/prices.toml" in inside
    assert not {path for path in inside if path.startswith(("tests/", "bench/", "docs/"))}


def test_the_source_distribution_has_what_the_wheel_is_made_of(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        inside = {name.partition("/")[2] for name in files.getnames()}

    assert shipped() <= inside
    assert {"pyproject.toml", "README.md", "LICENSE", "conf/prices.toml"} <= inside


def test_the_demo_runs_from_the_wheel_alone(unpacked: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(unpacked)}
    shown = subprocess.run(
        [sys.executable, "-c", "import gemproxy; print(gemproxy.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    ran = subprocess.run(
        [sys.executable, "-m", "gemproxy", "demo", "--port", "0", "--pace", "0", "--no-serve"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert shown.stdout.startswith(str(unpacked))
    assert ran.returncode == 0, ran.stderr
