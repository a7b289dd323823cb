"""The command line knows its flags from those of settings, and repeats no value."""

import pytest

from gemproxy.config.arguments import Misused
from gemproxy.keys.options import read_options


def test_flags_of_settings_stand_anywhere() -> None:
    options = read_options(
        ["--port", "1", "check", "--server.data_dir", "x", "0badcafe", "--json", "--a.b=c"]
    )

    assert (options.action, options.name, options.json) == ("check", "0badcafe", True)
    assert options.flags == ["--port", "1", "--server.data_dir", "x", "--a.b=c"]


def test_add_has_a_project_and_a_proxy() -> None:
    options = read_options(["add", "--project", "lab", "--proxy=http://u:p@h:1"])

    assert (options.project, options.proxy, options.json) == ("lab", "http://u:p@h:1", False)
    assert "p@h" not in repr(options)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["AIza-canary"],
        ["add", "AIza-canary"],
        ["list", "AIza-canary"],
        ["remove"],
        ["remove", "x", "AIza-canary"],
        ["import"],
        ["export", "AIza-canary"],
        ["add", "--project"],
        ["add", "--yes=AIza-canary"],
    ],
)
def test_a_wrong_command_line_is_refused_without_its_values(argv: list[str]) -> None:
    with pytest.raises(Misused) as caught:
        read_options(argv)

    assert "canary" not in str(caught.value)
    assert "--help" in str(caught.value)


def test_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(["import", "--help"])
    with pytest.raises(SystemExit):
        read_options(["--help"])

    assert "PROJECT,KEY" in capsys.readouterr().out
