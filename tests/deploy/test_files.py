"""The files in deploy/: each is parsed, and every variable in them is one that we read."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gemproxy import __version__
from tests.moving.test_tables import is_read
from tests.web.test_server import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = sorted((DEPLOY / "compose").glob("*.yaml"))
CHART = DEPLOY / "helm" / "gemproxy"
OTHERS = {"POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB", "PUBLIC_HOST"}
"""Variables of other programs, and one that only a compose file reads."""


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_a_compose_file_keeps_to_the_schema(file: Path) -> None:
    program = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    found = subprocess.run([*program, str(file)], capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout


def named(value: Any) -> Iterator[str]:
    """Yield the names of variables in a document, wherever it sets them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named(inner)
    elif isinstance(value, str):
        yield value
        yield from re.findall(r"\$\{(\w+)", value)


def test_every_variable_is_one_that_is_read() -> None:
    documents = [yaml.safe_load(file.read_text()) for file in (*COMPOSE, DEPLOY / "render.yaml")]
    texts = [file.read_text() for file in (CHART / "values.yaml", *CHART.glob("templates/*"))]
    texts += [(DEPLOY / "huggingface" / "README.md").read_text()]
    words = {name for document in documents for name in named(document)}
    words |= {name for text in texts for name in re.findall(r"\w+", text)}
    found = {word for word in words if re.fullmatch(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+|PASSWORD", word)}

    assert {"PASSWORD", "GEMINI_API_KEYS", "GEMPROXY_ADMIN_SECRET", "DATABASE_URL"} <= found
    assert {word for word in found - OTHERS if not is_read(word)} == {"ON_FAILURE"} & found


def test_the_volumes_and_ports_are_those_of_the_image() -> None:
    image = (ROOT / "Containerfile").read_text()
    service = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())["services"]

    assert service["gemproxy"]["volumes"] == ["data:/data"]
    assert "GEMPROXY_DATA_DIR=/data" in image
    assert service["gemproxy"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "EXPOSE 8000" in image


def test_json_and_front_matter_are_read() -> None:
    railway = json.loads((DEPLOY / "railway.json").read_text())
    assert (ROOT / railway["build"]["dockerfilePath"]).is_file()
    _, head, _ = (DEPLOY / "huggingface" / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(head)["sdk"] == "docker"


def test_the_chart_uses_the_values_that_it_has() -> None:
    """Helm itself is not in a package that tests could bring, so nothing renders it here."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    used = {
        path
        for file in CHART.glob("templates/*")
        for path in re.findall(r"\.Values\.([\w.]+)", file.read_text())
    }
    for path in used:
        place = values
        for name in path.split("."):
            assert name in place, path
            place = place[name]
    assert {path.partition(".")[0] for path in used} == set(values)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == values["image"]["tag"] == __version__
