"""Command lines with flags of settings among their own."""

import pytest

from gemproxy.config.arguments import Misused, Parser, aligned, divided

OWN = {"--json", "--rpm"}


def test_flags_of_settings_are_put_aside_with_their_values() -> None:
    argv = ["add", "--port", "1", "ann", "--rpm", "5", "--a.b=c", "--json", "--server.host", "--x"]

    assert divided(argv, OWN) == (
        ["add", "ann", "--rpm", "5", "--json"],
        ["--port", "1", "--a.b=c", "--server.host", "--x"],
    )
    assert divided(["--rpm=5", "--", "x"], OWN) == (["--rpm=5", "--", "x"], [])


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["canary"], "there is no such action: see a b --help"),
        ([], "the following arguments are required: ACTION: see a b --help"),
        (["go", "canary"], "too much: see a b --help"),
        (["go", "--number", "canary"], "invalid int value: ...: see a b go --help"),
        (["go", "--n=canary"], "too much: see a b --help"),
    ],
)
def test_what_is_wrong_is_said_without_values(argv: list[str], words: str) -> None:
    parser = Parser(prog="a b", too_many="too much", description="Does it.")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    go = actions.add_parser("go", too_many="too much", description="Goes.")
    go.add_argument("--number", type=int)

    with pytest.raises(Misused) as caught:
        parser.parse_args(argv)

    assert str(caught.value).endswith(words)


def test_rows_become_aligned_columns() -> None:
    assert aligned([("a", "bcd", ""), ("efg", "h", "i")]) == "a    bcd\nefg  h    i"
