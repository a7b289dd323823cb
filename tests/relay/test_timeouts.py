"""docs/timeouts.md: every limit on time, none of them missing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import attrs

from gemproxy.config.kinds import Seconds, SecondsOrNone
from gemproxy.config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "timeouts.md").read_text("utf-8")
OF_TIME = (Seconds, SecondsOrNone)


def settings_of_time() -> Iterator[str]:
    """Yield the paths of all settings that hold a time."""
    for section in attrs.fields_dict(Settings):
        table = type(getattr(Settings(), section))
        for name, field in attrs.fields_dict(table).items() if attrs.has(table) else ():
            if field.type in OF_TIME or name.endswith("_ms"):
                yield f"{section}.{name}"


def times_in_the_code() -> Iterator[str]:
    """Yield the constants of ``relay`` that are named as a number of seconds."""
    for file in (ROOT / "gemproxy" / "relay").glob("*.py"):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name.endswith("_SECONDS") and not isinstance(node.value, ast.Call):
                    yield f"relay.{file.stem}.{name}"


def rows() -> list[str]:
    """Return the names in the tables of the page."""
    return [line.split("`")[1] for line in PAGE.splitlines() if line.startswith("| `")]


def test_every_setting_of_time_has_its_row() -> None:
    paths = set(settings_of_time())

    assert {"upstream.first_byte_timeout_seconds", "repair.max_delay_ms"} < paths
    assert paths == {row for row in rows() if row.split(".")[0] in attrs.asdict(Settings())}


def test_every_time_in_the_code_has_its_row() -> None:
    names = set(times_in_the_code())

    assert "relay.keepalive.DEAD_AFTER_SECONDS" in names
    assert names <= set(rows())


def test_every_default_is_told() -> None:
    lines = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `")}
    for path in settings_of_time():
        section, _, name = path.partition(".")
        value = getattr(getattr(Settings(), section), name)
        seconds = value / 1000 if name == "max_delay_ms" else value
        assert f"| {seconds:g} " in lines[path], path
