"""The command line of the command."""

import pytest
from yarl import URL

from gemproxy.config.arguments import Misused
from gemproxy.doctor.options import read_options


def test_flags_of_settings_are_put_aside() -> None:
    options = read_options(
        ["--json", "--port", "9000", "--offline", "--url", "https://x.example/a"]
    )

    assert (options.json, options.offline, options.url) == (True, True, URL("https://x.example/a"))
    assert list(options.flags) == ["--port", "9000"]


@pytest.mark.parametrize("argv", [["more"], ["--url"], ["--url", "ftp://x"], ["--url", ""]])
def test_a_wrong_command_line_is_misuse(argv: list[str]) -> None:
    with pytest.raises(Misused):
        read_options(argv)
