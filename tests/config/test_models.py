"""Models that settings name: whoever set them up is shown them before they were asked."""

from pathlib import Path

from gemproxy.config.models import models_of
from gemproxy.config.settings import Settings

TOML = """
[pool.limits]
gemini-limited = { rpm = 5 }
[thinking.models]
"gemini-think*" = { budget = 0 }
gemini-thinks = { budget = 1 }
[openai]
default_model = "gemini-usual"
aliases = { gpt-4o = "gemini-aliased" }
[images]
models = ["gemini-draws", "gemini-*-image"]
default_model = "gemini-pictures"
"""


def test_models_that_settings_name_are_found_and_patterns_are_none(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "gemproxy.toml").write_text(TOML)

    assert models_of(Settings.load([], environ={}, cwd=tmp_path).settings) == {
        "gemini-limited",
        "gemini-thinks",
        "gemini-usual",
        "gemini-aliased",
        "gemini-draws",
        "gemini-pictures",
    }
