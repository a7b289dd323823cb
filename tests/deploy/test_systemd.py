"""The unit of systemd: accepted by systemd's own check, and as closed as the docs say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.web.test_server import ROOT

UNIT = ROOT / "deploy" / "systemd" / "gemproxy.service"
MOST_EXPOSED = 2.0
"""Of 10; docs/service.md says so."""
ANALYZE = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(
    ANALYZE is None, reason="systemd-analyze is not here: the unit is not checked by systemd"
)


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(ANALYZE), *arguments], capture_output=True, text=True, check=False)


@needs_systemd
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """Its program is another one here, because systemd looks for it."""
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub("(?m)^ExecStart=.*", "ExecStart=/bin/true", UNIT.read_text()))

    checked = analyze("verify", str(unit))

    assert (checked.returncode, checked.stderr) == (0, "")


@needs_systemd
def test_the_unit_is_as_closed_as_the_docs_say() -> None:
    said = analyze("security", "--offline=true", "--no-pager", str(UNIT)).stdout
    found = re.search(r"exposure level for gemproxy.service: ([\d.]+)", said)
    assert found is not None

    assert float(found[1]) < MOST_EXPOSED


def test_the_unit_names_what_is_there() -> None:
    text = UNIT.read_text()
    home = Path("/opt/gemproxy")
    for path in re.findall(rf"{home}/(\S+)", text):
        assert path.startswith(".venv/bin/") or (ROOT / path).exists()
