"""Settings that change while the proxy runs: which, judged by which rules, and shown how."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gemproxy.config.live import LIVE, changed, note_of, option_of, shape_of, shown, taken
from gemproxy.config.settings import Loaded, Settings, SettingsError, catalogue, values_of

PROMPT = "be brief about the blue parrot"


def loaded(*argv: str, **environ: str) -> Loaded:
    return Settings.load(argv, environ=environ, cwd=Path("/nonexistent"))


def problems(base: Loaded, values: Mapping[str, object], projects: tuple[str, ...] = ()) -> str:
    with pytest.raises(SettingsError) as refusal:
        changed(base, values, projects)
    return "\n".join(refusal.value.problems)


def test_every_live_setting_is_one() -> None:
    known = {path.partition(".")[0] + ".*" for path in catalogue().options} | {*catalogue().options}
    assert LIVE.keys() <= known


@pytest.mark.parametrize(
    ("path", "value", "shape"),
    [
        ("pool.strategy", "weighted", "word"),
        ("pool.limits", {"m": {"rpm": 5, "tpm": 0, "rpd": 9}}, "table"),
        ("thinking.models", {"gemini-2.5-*": {"budget": 0, "level": "LOW"}}, "table"),
        ("thinking.budget", 1024, "whole number"),
        ("thinking.enabled", None, "switch"),
        ("repair.max_seconds", 1.5, "number"),
        ("images.models", ["a", "b*"], "list"),
        ("openai.aliases", {"gpt-4o": "gemini-2.5-flash"}, "table"),
        ("openai.default_model", "gemini-x", "text"),
        ("finish_reasons.MY_REASON", "resume", "word"),
    ],
)
def test_a_value_is_shown_in_the_shape_in_which_it_may_be_given(
    path: str, value: object, shape: str
) -> None:
    after = changed(loaded(), {path: value}, ())
    option = option_of(path)

    assert option is not None
    assert after.origins[path] == "admin"
    assert shown(option, values_of(after.settings)[path])[1] == value
    assert shape_of(option)[0] == shape


def test_a_value_may_be_text_as_in_a_variable() -> None:
    values = {
        "repair.max_seconds": "2m",
        "thinking.native": "yes",
        "pool.limits": '{"m": {"rpm": 5}}',
        "images.models": "a, b",
    }

    settings = changed(loaded(), values, ()).settings

    assert settings.repair.max_seconds == 120
    assert settings.thinking.native
    assert settings.pool.limits["m"].rpm == 5
    assert settings.images.models == ("a", "b")


def test_it_is_stronger_than_files_and_variables_and_weaker_than_flags() -> None:
    base = loaded("--repair.max_resumes", "3", GEMPROXY_REPAIR_MAX_SECONDS="7")

    after = changed(base, {"repair.max_seconds": 8}, ())

    assert (after.settings.repair.max_seconds, after.settings.repair.max_resumes) == (8, 3)
    refusal = problems(base, {"repair.max_resumes": 4})
    assert "is set by the flag --repair.max_resumes" in refusal


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pool.strategy": "fastest"}, "is not one of least_used, round_robin, weighted"),
        ({"thinking.budget": 40_000}, "is not -1, 0 or a number of tokens from 1 to 32768"),
        ({"repair.max_resumes": True}, "is not a whole number"),
        ({"repair.max_resumes": None}, "is not a whole number"),
        ({"repair.max_resumes": -1}, "is less than 0"),
        ({"openai.default_model": ["x"]}, "is not one line of text"),
        ({"finish_reasons.SAFETY": "resume"}, "a policy ending is passed on"),
        ({"injection.enabled": True}, "there is no prompt to inject"),
        ({"images.response": "url"}, "needs a place where pictures are kept"),
        ({"injection.content": " file:///etc/hostname"}, "no file:// is read"),
        ({"server.port": 1}, "changes by a restart only"),
        ({"server.prot": 1}, "no such setting"),
    ],
)
def test_what_a_start_would_refuse_is_refused_in_words(
    values: Mapping[str, object], words: str
) -> None:
    assert words in problems(loaded(), values)


def test_all_problems_are_told_at_once() -> None:
    text = problems(loaded(), {"pool.strategy": "x", "injection.enabled": True})

    assert "pool.strategy: " in text
    assert "injection.content: " in text


def test_a_weight_needs_a_project_that_has_a_key() -> None:
    base = loaded(GEMINI_API_KEYS="AIzaSy-one", PASSWORD="gp-" + "fe3b7a9102cd48e5")

    assert "no project is called 'lab'" in problems(base, {"pool.weights": {"lab": 2}})
    weights = {"pool.weights": {"lab": 2}}
    assert changed(base, weights, ("lab",)).settings.pool.weights == {"lab": 2}


def test_no_file_is_read_and_no_prompt_is_told(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    document = f'["file://{tmp_path}/secret"]'

    after = changed(loaded(), {"injection.content": document, "injection.enabled": True}, ())
    assert after.settings.injection.content == document
    assert PROMPT not in problems(loaded(), {"injection.content": [PROMPT]})


def test_a_problem_that_was_there_before_is_not_the_change_s() -> None:
    base = loaded()
    broken: Any = changed(base, {"injection.content": PROMPT, "injection.enabled": True}, ())
    values = values_of(broken.settings) | {"injection.content": ""}
    assert values["injection.enabled"]

    assert changed(base, {"repair.max_resumes": 1}, ()).settings.repair.max_resumes == 1


def test_a_stored_value_that_is_of_no_use_is_left_out_and_told() -> None:
    base = loaded("--repair.max_resumes", "3")
    stored = {"repair.max_resumes": 4, "repair.max_seconds": 8, "gone.setting": 1}

    after, left_out = taken(base, stored, ())

    assert (after.settings.repair.max_seconds, after.settings.repair.max_resumes) == (8, 3)
    assert len(left_out) == 2


def test_what_the_reader_of_a_table_needs_to_know() -> None:
    assert note_of("server.port") is None
    assert note_of("finish_reasons.MY_REASON") == ""
    assert "persists" not in (note_of("pool.strategy") or "")
