"""The files under conf say what the code does."""

import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import attrs
import pytest

from gemproxy.accounts.cost import cost_of
from gemproxy.accounts.prices import parse_prices
from gemproxy.accounts.user import NANO
from gemproxy.config.operators import VARIABLE as WITH_KEYS
from gemproxy.config.places import PRICES
from gemproxy.config.settings import ALIASES, Settings, catalogue
from gemproxy.config.sources import FILES_VARIABLE
from gemproxy.core.answer.usage import Billed

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


def test_the_price_table_prices_what_google_has() -> None:
    prices = parse_prices((CONF / "prices.toml").read_text())
    when = datetime(2026, 11, 28, tzinfo=UTC).timestamp()
    later = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    million = Billed(prompt=1_000_000, output=1_000_000, total=2_000_000)
    small = Billed(prompt=200_000, output=1_000_000, total=1_200_000)

    def dollars(model: str, used: Billed, at: float = when) -> float | None:
        cost = cost_of(used, prices.of(model, at))
        return None if cost is None else cost / NANO

    assert dollars("models/gemini-2.5-pro", small) == 10.25
    assert dollars("gemini-2.5-pro", million) == 17.5
    assert dollars("gemini-2.5-flash-preview-09-2025", million) == 2.8
    assert dollars("gemini-3.8-flash", million) == 4.5
    assert dollars("gemini-flash-latest", million, later) == 9
    assert dollars("gemini-4-argon", million, later) == 24
    assert dollars("gemini-embedding-001", Billed(prompt=1_000_000)) == 0.15
    assert dollars("imagen-4.0-generate-001", Billed(pictures=4)) == 0.16
    assert dollars("gemini-9-ultra", million) is None


def test_every_price_says_where_and_when_it_was_read() -> None:
    document = tomllib.loads((CONF / "prices.toml").read_text())
    lists = [prices for model in document["models"] for prices in model["prices"]]

    assert len(lists) > 40
    assert all(prices["source"].startswith("https://") for prices in lists)
    assert all(prices["checked"] >= date(2026, 10, 1) for prices in lists)


def test_the_wheel_has_the_price_table() -> None:
    project = tomllib.loads((CONF.parent / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    assert included == {"conf/prices.toml": f"gemproxy/{PRICES.as_posix()}"}
