"""The command line and the key."""

from pathlib import Path

import pytest
from yarl import URL

from gemproxy.probe.cases import CASES
from gemproxy.probe.options import GOOGLE, Misused, read_options
from tests.probe.fake import KEY

ENVIRON = {"GEMINI_API_KEY": KEY}


def test_without_arguments_google_is_asked_about_its_newest_models() -> None:
    options = read_options([], ENVIRON)

    assert options.models == ()
    assert options.cases == CASES
    assert options.base == GOOGLE
    assert options.report == Path("probe-report.json")
    assert options.excerpts
    assert not options.confirmed


def test_every_option_is_taken() -> None:
    words = (
        "--model one --model models/two --model one --only json --base-url http://127.0.0.1:9/x "
        "--report r.json --no-excerpts --seed 7 --max-requests 9 --timeout 5 --yes"
    )

    options = read_options(words.split(), ENVIRON)

    assert options.models == ("one", "two")
    assert [case.name for case in options.cases] == ["json"]
    assert options.base == URL("http://127.0.0.1:9/x")
    assert options.report == Path("r.json")
    assert (options.excerpts, options.confirmed) == (False, True)
    assert (options.seed, options.max_requests, options.timeout) == (7, 9, 5.0)


@pytest.mark.parametrize(
    "environ",
    [
        {"GEMINI_API_KEY": KEY},
        {"GOOGLE_API_KEY": KEY},
        {"GEMINI_API_KEY": f" {KEY}\n", "GOOGLE_API_KEY": "another-key"},
        {"GEMINI_API_KEY": "", "GOOGLE_API_KEY": KEY},
    ],
)
def test_the_key_comes_from_the_environment(environ: dict[str, str]) -> None:
    options = read_options([], environ)

    assert options.key == KEY
    assert KEY not in repr(options)


def test_a_key_file_is_stronger_than_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")

    options = read_options(["--key-file", str(tmp_path / "key")], {"GEMINI_API_KEY": "other-key"})

    assert options.key == KEY


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "the key file cannot be read: No such file"),
        (b"\xff\xfe", "the key file cannot be read: it is not text"),
        (b"", "no key; set GEMINI_API_KEY or GOOGLE_API_KEY"),
        (b"two words of it", "cannot be one"),
        (b"short", "cannot be one"),
    ],
)
def test_a_file_without_a_key_is_refused(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    file = tmp_path / KEY
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(Misused, match=complaint) as misused:
        read_options(["--key-file", str(file)], {})

    assert KEY not in str(misused.value)


def test_without_a_key_it_is_said_where_one_is_looked_for() -> None:
    with pytest.raises(Misused, match="no key; set GEMINI_API_KEY or GOOGLE_API_KEY, or name a"):
        read_options([], {})


@pytest.mark.parametrize(
    "argv",
    [
        [KEY],
        ["--key", KEY],
        [f"--key={KEY}"],
        [f"-k{KEY}"],
        [f"--yes={KEY}"],
        [f"--{KEY}"],
        ["--model", f"{KEY}?"],
        ["--seed", KEY],
        ["--only", KEY],
        ["--base-url", f"http://example.com/?key={KEY}"],
        ["--base-url", f"http://{KEY}@example.com"],
        ["--base-url", KEY],
        ["--base-url", f"http://[{KEY}"],
        ["--timeout"],
    ],
)
def test_a_wrong_command_line_is_refused_without_repeating_it(argv: list[str]) -> None:
    with pytest.raises(Misused) as misused:
        read_options(argv, ENVIRON)

    assert str(misused.value)
    assert KEY not in str(misused.value)


def test_an_unknown_flag_is_named() -> None:
    with pytest.raises(Misused, match="does not know: --key; a key is never an argument"):
        read_options(["--key", KEY], ENVIRON)


def test_the_help_lists_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(["--help"], {})

    shown = capsys.readouterr().out
    assert all(case.name in shown for case in CASES)
