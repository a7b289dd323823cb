"""The command line knows its flags from those of settings."""

import pytest

from gemproxy.accounts.user import Kind
from gemproxy.config.arguments import Misused
from gemproxy.users.options import read_options
from gemproxy.users.values import flag_of


def test_flags_of_settings_stand_anywhere() -> None:
    options = read_options(
        ["--port", "1", "add", "--rpm", "5", "--server.data_dir", "x", "ann", "--rpm=m=2", "--json"]
    )

    assert (options.action, options.name, options.json) == ("add", "ann", True)
    assert options.limits == {Kind.RPM: ["5", "m=2"]}
    assert options.flags == ["--port", "1", "--server.data_dir", "x"]


def test_every_kind_of_limit_has_its_flag() -> None:
    argv = [part for kind in Kind for part in (flag_of(kind), "7")]

    for action in ("add", "set"):
        options = read_options([action, "ann", *argv])
        assert options.limits == {kind: ["7"] for kind in Kind}


def test_what_is_not_given_is_not_there() -> None:
    options = read_options(["set", "ann"])

    assert (options.limits, options.models, options.expires, options.shadow) == (
        {},
        None,
        None,
        False,
    )
    assert read_options(["rotate", "ann"]).grace == "0"


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["canary"],
        ["add"],
        ["add", "ann", "canary"],
        ["list", "canary"],
        ["revoke"],
        ["rotate", "ann", "--grace"],
        ["revoke", "ann", "--shadow=canary"],
        ["list", "--rpm", "5"],
    ],
)
def test_a_wrong_command_line_is_refused_without_its_values(argv: list[str]) -> None:
    with pytest.raises(Misused) as caught:
        read_options(argv)

    assert "canary" not in str(caught.value)
    assert "--help" in str(caught.value)


def test_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], ["add", "--help"], ["set", "--help"]):
        with pytest.raises(SystemExit):
            read_options(argv)
        capsys.readouterr()
