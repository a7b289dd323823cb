"""The operator's additions, from the settings."""

from pathlib import Path

from gemproxy.config.settings import Settings
from gemproxy.shaping.injection import Injection
from gemproxy.shaping.shaping import Shaping
from gemproxy.shaping.thinking import Thinking, Thoughts
from gemproxy.web.shaping import shaping_of


def shaping(**variables: str) -> Shaping:
    environ = {f"GEMPROXY_{name}": value for name, value in variables.items()}
    return shaping_of(Settings.load(environ=environ, cwd=Path("/nonexistent")).settings)


def test_the_defaults_add_nothing() -> None:
    assert shaping() == Shaping()


def test_every_setting_arrives() -> None:
    got = shaping(
        THINKING_ENABLED="true",
        THINKING_BUDGET="-1",
        THINKING_LEVEL="Low",
        THINKING_INCLUDE_THOUGHTS="yes",
        THINKING_NATIVE="1",
        THINKING_MODELS='{"models/gemini-2.5-*": {"budget": 0}}',
        INJECTION_ENABLED="true",
        INJECTION_CONTENT="Be brief.",
        INJECTION_POSITION="user_suffix",
        INJECTION_ALLOW_OPT_OUT="true",
    )

    thoughts = Thoughts(
        Thinking(True, -1, "LOW", True), {"gemini-2.5-*": Thinking(budget=0)}, native=True
    )
    assert got == Shaping(thoughts, Injection("Be brief.", "user_suffix", allow_opt_out=True))


def test_a_prompt_that_is_off_is_none() -> None:
    assert shaping(INJECTION_CONTENT="Be brief.").injection is None
