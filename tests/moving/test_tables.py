"""The tables: each name once, each equivalent a variable that we read, both languages."""

import pytest

from docs.moving_table import CHINESE, ENGLISH, Language, page_with_tables
from gemproxy.config.operators import VARIABLE
from gemproxy.config.settings import ALIASES, OF_PROVIDERS, catalogue
from gemproxy.moving.row import Tool
from gemproxy.moving.tables import TOOLS

READ = {*catalogue().variables(), *ALIASES, *(n for names in OF_PROVIDERS.values() for n in names)}


def is_read(name: str) -> bool:
    """Return whether gemproxy reads a variable."""
    return name in READ or VARIABLE.fullmatch(name) is not None


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_row_leads_to_a_variable_or_says_why_not(tool: Tool) -> None:
    names = [row.name for row in tool.rows]
    assert len(set(names)) == len(names)
    for row in tool.rows:
        if row.ours:
            assert is_read(row.ours), row.name
        else:
            assert row.why, row.name
        assert bool(row.why) == bool(row.zh), row.name


@pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_the_tables_of_the_page_are_those_of_the_code(language: Language) -> None:
    page = language.page.read_text("utf-8")

    assert page == page_with_tables(page, language), "python docs/moving_table.py --write"


@pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=["en", "zh"])
@pytest.mark.parametrize(
    "text",
    [
        *("7860", "8501", "20000", "start.sh", "stop.sh", "restart.sh", "run_server.py"),
        *("uvicorn", "uv sync", "logs/app.log", "/generate", "/admin/stats", "/wake"),
        *("gemini-key", "user-key", "thinking", "inject-prompt", "/status", "/health"),
    ],
)
def test_the_page_names_what_users_of_small_tools_have(language: Language, text: str) -> None:
    assert text in language.page.read_text("utf-8")
