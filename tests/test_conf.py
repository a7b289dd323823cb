"""The files under conf say what the code does."""

import re
import tomllib
from pathlib import Path

import attrs
import pytest

from gemproxy.config.operators import VARIABLE as WITH_KEYS
from gemproxy.config.settings import ALIASES, Settings, catalogue
from gemproxy.config.sources import FILES_VARIABLE

CONF = Path(__file__).resolve().parent.parent / "conf"
TOML = CONF / "gemproxy.toml"
EXAMPLE = CONF / "gemproxy.env.example"
VARIABLE = re.compile(r"# (?P<name>[A-Z_]+)=(?P<value>.*)")


def test_the_toml_file_names_every_key_and_no_other() -> None:
    document = tomllib.loads(TOML.read_text())

    named = [f"{section}.{key}" for section, table in document.items() for key in table]

    assert named == list(catalogue().options)


def test_the_toml_file_holds_the_defaults_exactly(tmp_path: Path) -> None:
    loaded = Settings.load(["--config", str(TOML)], environ={}, cwd=tmp_path)

    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {str(TOML)}


def test_every_key_of_the_toml_file_has_its_help_as_its_comment() -> None:
    lines = TOML.read_text().splitlines()
    comments: dict[str, str] = {}
    section = ""
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("["):
            section = line.strip("[]")
        elif " = " in line:
            comments[f"{section}.{line.partition(' = ')[0]}"] = before.removeprefix("# ")

    for path, option in catalogue().options.items():
        if path.startswith("finish_reasons."):
            assert comments[path].endswith(".")
        else:
            assert comments[path] == option.metadata["argparse"]["help"]


def test_every_section_of_the_toml_file_says_what_it_is() -> None:
    text = TOML.read_text()

    for field in attrs.fields(Settings):
        assert re.search(rf"^# .+\n\[{field.name}\]$", text, re.MULTILINE)


def test_every_variable_of_the_example_exists() -> None:
    known = {*catalogue().variables(), FILES_VARIABLE}
    named = [match["name"] for match in VARIABLE.finditer(EXAMPLE.read_text())]

    assert named
    assert {name for name in named if not WITH_KEYS.fullmatch(name)} <= known | ALIASES.keys()


def test_the_example_gives_no_secret_a_value() -> None:
    variables = catalogue().variables()
    secrets = {name for name, path in variables.items() if catalogue().options[path].is_secret}
    values = {match["name"]: match["value"] for match in VARIABLE.finditer(EXAMPLE.read_text())}
    secrets |= {name for name in values if name == "PASSWORD" or WITH_KEYS.fullmatch(name)}

    assert secrets & set(values)
    assert all(not values[name] for name in secrets & set(values))


@pytest.mark.parametrize("prefix", ["# ", ""])
def test_the_example_changes_nothing_commented_or_not(tmp_path: Path, prefix: str) -> None:
    text = VARIABLE.sub(rf"{prefix}\g<name>=\g<value>", EXAMPLE.read_text())
    (tmp_path / ".env").write_text(text)

    assert Settings.load(environ={}, cwd=tmp_path).settings == Settings()
