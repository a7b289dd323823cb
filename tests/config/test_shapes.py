"""The settings about what goes up: thinking, the operator's prompt, names of models."""

from pathlib import Path

import pytest

from gemproxy.config.settings import Loaded, Settings, SettingsError
from gemproxy.shaping.thinking import Thinking


def load(cwd: Path, toml: str = "", **variables: str) -> Loaded:
    (cwd / "conf").mkdir(exist_ok=True)
    (cwd / "conf" / "gemproxy.toml").write_text(toml)
    environ = {f"GEMPROXY_{name}": value for name, value in variables.items()}
    return Settings.load(environ=environ, cwd=cwd)


def refused(cwd: Path, toml: str = "", **variables: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(cwd, toml, **variables)
    return caught.value.problems


def shown(loaded: Loaded) -> dict[str, str]:
    return {path: value for path, value, _ in loaded.rows()}


def test_thinking_from_variables(tmp_path: Path) -> None:
    loaded = load(tmp_path, THINKING_BUDGET="-1", THINKING_LEVEL="HIGH", THINKING_ENABLED="no")

    thinking = loaded.settings.thinking
    assert (thinking.budget, thinking.level, thinking.enabled) == (-1, "HIGH", False)
    rows = shown(loaded)
    assert rows["thinking.level"] == "high"
    assert rows["thinking.budget"] == "-1"
    assert rows["thinking.include_thoughts"] == '""'


def test_thinking_by_model_from_toml(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        '[thinking]\nbudget = 0\n[thinking.models."gemini-2.5-pro"]\nbudget = 128\n'
        'include_thoughts = true\n[thinking.models."models/gemini-3*"]\nlevel = "low"\n',
    )

    assert loaded.settings.thinking.models == {
        "gemini-2.5-pro": Thinking(budget=128, include_thoughts=True),
        "gemini-3*": Thinking(level="LOW"),
    }
    assert (
        shown(loaded)["thinking.models"]
        == "gemini-2.5-pro: budget 128, include_thoughts true; gemini-3*: level low"
    )


@pytest.mark.parametrize("budget", ["-2", "32769", "much", "1.5", "true"])
def test_budgets_out_of_bounds(tmp_path: Path, budget: str) -> None:
    (problem,) = refused(tmp_path, THINKING_BUDGET=budget)

    assert problem == (
        f"thinking.budget: '{budget}' is not -1, 0 or a number of tokens from 1 to 32768"
        " (from environment GEMPROXY_THINKING_BUDGET)"
    )


@pytest.mark.parametrize(
    ("models", "why"),
    [
        ("[]", "is not a table of models, each with enabled, budget, level, include_thoughts"),
        ("{", "in JSON"),
        ('{"m": 3}', "gives 'm' no table with enabled, budget, level, include_thoughts"),
        ('{"m": {"budgett": 3}}', "gives 'm' 'budgett', which is no setting"),
        ('{"gemini-2": {"5-pro": {"budget": 3}}}', "quote a name with dots"),
        ('{"m": {"budget": 99999}}', "gives 'm' a value of budget that is not -1, 0 or"),
        ('{"m": {"level": "ultra"}}', "gives 'm' a value of level that is not one of minimal"),
        ('{"": {}}', "has a model without a name"),
    ],
)
def test_tables_of_models_that_are_none(tmp_path: Path, models: str, why: str) -> None:
    (problem,) = refused(tmp_path, THINKING_MODELS=models)

    assert problem.startswith("thinking.models: ")
    assert why in problem
    assert problem.endswith("(from environment GEMPROXY_THINKING_MODELS)")


def test_all_problems_at_once(tmp_path: Path) -> None:
    problems = refused(
        tmp_path,
        "[injection]\nenabled = true\n",
        THINKING_LEVEL="ultra",
        INJECTION_POSITION="middle",
        OPENAI_ALIASES='{"gpt-4o": ""}',
        OPENAI_DEFAULT_MODEL="",
        IMAGES_MODELS='["a b"]',
    )

    assert [line.partition(":")[0] for line in problems] == [
        "openai.default_model",
        "openai.aliases",
        "thinking.level",
        "injection.position",
        "images.models",
        "injection.content",
    ]


def test_the_prompt_is_content(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Be brief.\nAlways.\n")
    text = "Be brief.\nAlways."
    for loaded in (
        load(tmp_path, INJECTION_CONTENT_FILE=f"{tmp_path}/prompt.txt"),
        load(tmp_path, f'[injection]\ncontent = "file://{tmp_path}/prompt.txt"'),
        load(tmp_path, "[injection]\ncontent = '''\nBe brief.\nAlways.\n'''"),
    ):
        assert loaded.settings.injection.content == text
        assert shown(loaded)["injection.content"] == "(17 characters)"
        assert "brief" not in repr(loaded.settings)


def test_a_prompt_that_cannot_be_read(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, INJECTION_ENABLED="1", INJECTION_CONTENT="file:///nowhere")

    assert "'/nowhere' cannot be read" in problem


def test_aliases_and_names_of_models(tmp_path: Path) -> None:
    listed = load(tmp_path, IMAGES_MODELS='["mine", "*-image"]').settings
    assert listed.images.models == ("mine", "*-image")
    loaded = load(
        tmp_path,
        '[openai.aliases]\n"gpt-4o" = "models/gemini-2.5-flash"\n',
        IMAGES_MODELS="*-image*, models/mine",
        OPENAI_FETCH_MAX_BYTES="1MiB",
    )

    assert loaded.settings.openai.aliases == {"gpt-4o": "gemini-2.5-flash"}
    assert loaded.settings.images.models == ("*-image*", "mine")
    assert loaded.settings.openai.fetch_max_bytes == 1 << 20
    assert shown(loaded)["openai.aliases"] == "gpt-4o: gemini-2.5-flash"
