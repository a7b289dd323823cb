"""``gemproxy check --from``: what is printed, what is written, and what is not usable."""

import stat
from pathlib import Path

import pytest

from gemproxy.__main__ import main
from gemproxy.config.settings import Settings
from gemproxy.moving.row import base_url, budgets, limits, listed, named

FIRST, SECOND = (
    "AIzaSyAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "AIzaSyBbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
)
TOKEN, ADMIN = "q8Zt4Wm2Rk7Lp9Xc", "w7Kq2mXv9TzRw4Lp8sDfGh3J"
BALANCE = f"""\
API_KEYS=["{FIRST}","{SECOND}"]
ALLOWED_TOKENS=["{TOKEN}"]
AUTH_TOKEN={ADMIN}
BASE_URL=["https://gateway.example/x/google-ai-studio/v1beta"]
MODEL_RATE_LIMITS='{{"gemini-2.5-pro": [5, 100]}}'
KEY_RATE_LIMITS='{{}}'
THINKING_BUDGET_MAP={{"gemini-2.5-flash": 5000}}
TIMEZONE=Asia/Shanghai
TIME_OUT=600
PROXIES=[]
MAX_FAILURES=10
OTHER_THING=1
not a line
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a file of gemini-balance."""
    file = tmp_path / "old.env"
    file.write_text(BALANCE)
    return file


def test_the_result_is_read_as_the_same_settings(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.env"
    assert main(["check", "--from", "gemini-balance", str(old), "--write", str(new)]) == 0

    settings = Settings.load(["--env-file", str(new)], environ={}, cwd=tmp_path).settings
    assert settings.upstream.url_base == "https://gateway.example/x/google-ai-studio"
    assert settings.upstream.first_byte_timeout_seconds == 600
    assert settings.accounts.timezone == "Asia/Shanghai"
    assert settings.access.keys == {"key-1": TOKEN}
    assert settings.admin.secret == ADMIN
    assert [key.secret for key in settings.pool.keys] == [FIRST, SECOND]
    assert set(settings.pool.limits) == {"gemini-2.5-pro"}
    assert set(settings.thinking.models) == {"gemini-2.5-flash"}
    assert stat.S_IMODE(new.stat().st_mode) == 0o600

    printed = capsys.readouterr()
    for secret in (FIRST, SECOND, TOKEN, ADMIN):
        assert secret not in printed.out + printed.err
    assert "MAX_FAILURES: a key's refusal" in printed.out
    assert "KEY_RATE_LIMITS: limits are" in printed.out
    assert "not known as gemini-balance's: OTHER_THING" in printed.out
    assert "line 13: is not NAME=value" in printed.err


def test_a_file_that_is_there_is_not_written_over(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--from", "gemini-balance", str(old), "--write", str(old)]) == 1
    assert "File exists" in capsys.readouterr().err
    assert old.read_text() == BALANCE


def test_the_proxy_has_to_be_one_that_is_known(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--from", "unheard-of", str(old)]) == 2
    assert "only antiblock, gemini-balance" in capsys.readouterr().err
    assert main(["check", "--from", "hajimi", f"{old}.lost"]) == 1


def test_a_wrong_value_is_told_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "old.env"
    file.write_text("MODEL_RATE_LIMITS=[1]\nTHINKING_BUDGET_MAP=x\nAPI_KEYS=a\n")

    assert main(["check", "--from", "gemini-balance", str(file)]) == 0
    said = capsys.readouterr().out
    assert "MODEL_RATE_LIMITS: is no table of models with two numbers each" in said
    assert "THINKING_BUDGET_MAP: is not JSON" in said


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("https://a.example/v1beta/", "https://a.example"),
        ('["https://a.example/x/v1beta", "https://b.example"]', "https://a.example/x"),
        ("https://a.example", "https://a.example"),
    ],
)
def test_a_base_url_loses_the_version(given: str, right: str) -> None:
    assert base_url(given) == right


def test_lists_and_tables_change_their_form() -> None:
    assert listed("a, b,,c") == listed('["a", "b", "c"]') == ["a", "b", "c"]
    assert named("a,b") == '{"key-1": "a", "key-2": "b"}'
    assert limits('{"m": [1, 2]}') == '{"m": {"rpm": 1, "rpd": 2}}'
    assert budgets('{"m": -1}') == '{"m": {"budget": -1}}'
