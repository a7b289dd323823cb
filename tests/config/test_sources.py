"""Where settings are read from, and what is said about names that are none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.config.settings import catalogue
from gemproxy.config.sources import DOTENV_LINE, Named, Sources, flag_help, problem


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(catalogue(), tmp_path)


def layers(sources: Sources) -> list[tuple[str, object]]:
    return [(layer.meta.name, layer.settings) for layer in sources.layers]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=value", "value"),
        ("  export NAME = value  ", "value"),
        ("NAME=two words", "two words"),
        ("NAME=value # a comment", "value"),
        ("NAME=va#lue", "va#lue"),
        ("NAME=a=b", "a=b"),
        ("NAME='single # \"quoted\"'", 'single # "quoted"'),
        ("NAME=\"double # 'quoted'\"  # a comment", "double # 'quoted'"),
        ("NAME=it's", "it's"),
        ("NAME=", ""),
        ("NAME= # a comment", ""),
        ("NAME=''", ""),
    ],
)
def test_a_dotenv_line_is_read_as_a_shell_would(sources: Sources, line: str, value: str) -> None:
    (sources.cwd / ".env").write_text(line)

    assert sources.read_env_files() == [(".env", {"NAME": value})]
    assert not sources.problems


def test_a_dotenv_file_may_have_a_bom_crlf_comments_and_blank_lines(sources: Sources) -> None:
    (sources.cwd / ".env").write_bytes(b"\xef\xbb\xbf# first\r\n\r\nA=1\r\n  # last\r\nB=2\r\n")

    assert sources.read_env_files() == [(".env", {"A": "1", "B": "2"})]
    assert not sources.problems


def test_a_dotenv_line_that_is_no_assignment_is_a_problem_without_its_text(
    sources: Sources,
) -> None:
    (sources.cwd / ".env").write_text("A=1\nthis is a secret\nB='open")

    assert sources.read_env_files() == [(".env", {"A": "1"})]
    assert sources.problems == [
        "line 2: is not NAME=value (from .env)",
        "line 3: is not NAME=value (from .env)",
    ]


def test_no_dotenv_file_is_no_problem(sources: Sources) -> None:
    assert sources.read_env_files() == []
    assert not sources.problems


def test_files_of_variables_are_read_in_place_of_the_usual_one(sources: Sources) -> None:
    for name, text in ((".env", "A=1"), ("x.env", "A=2"), ("y.env", "A=3\nB=4")):
        (sources.cwd / name).write_text(text)

    assert sources.read_env_files(["x.env", "y.env"]) == [
        ("x.env", {"A": "2"}),
        ("y.env", {"A": "3", "B": "4"}),
    ]
    assert sources.read_env_files(["lost.env"]) == [("lost.env", {})]
    (said,) = sources.problems
    assert said.startswith(f"{sources.cwd / 'lost.env'}: cannot be read")
    assert said.endswith("(from flag --env-file)")


def test_a_dotenv_file_that_is_not_utf_8_is_a_problem(sources: Sources) -> None:
    (sources.cwd / ".env").write_bytes(b"A=\xff")

    assert sources.read_env_files() == [(".env", {})]
    assert sources.problems == [
        f"{sources.cwd / '.env'}: is not UTF-8 (from the working directory)"
    ]


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"], exclude_characters="'")))
def test_any_text_survives_single_quotes(text: str) -> None:
    match = DOTENV_LINE.fullmatch(f"NAME='{text}' # comment")

    assert match is not None
    assert (match["single"] or "") == text


def test_every_setting_has_variables_of_its_own_and_no_two_share_one() -> None:
    variables = catalogue().variables()

    assert variables["GEMPROXY_REPAIR_MAX_RESUMES"] == "repair.max_resumes"
    assert variables["GEMPROXY_FINISH_REASONS_OTHER"] == "finish_reasons.OTHER"
    assert variables["GEMPROXY_TLS_CERT"] == "server.tls_cert"
    assert variables["GEMPROXY_UPSTREAM_PROXY_FILE"] == "upstream.proxy"
    assert set(variables.values()) == set(catalogue().options)
    full = {f"GEMPROXY_{path.replace('.', '_')}".upper() for path in catalogue().options}
    assert len(full) == len(catalogue().options)
    assert full <= set(variables)


def test_the_full_name_of_a_server_variable_is_stronger_than_the_short_one(
    sources: Sources,
) -> None:
    sources.add_variables(
        "environment", {"GEMPROXY_SERVER_PORT": "1", "GEMPROXY_PORT": "2", "PORT": "3"}
    )

    assert layers(sources) == [
        ("environment GEMPROXY_PORT", {"server": {"port": "2"}}),
        ("environment GEMPROXY_SERVER_PORT", {"server": {"port": "1"}}),
    ]


def test_a_secret_s_file_variable_becomes_a_file_url(sources: Sources) -> None:
    sources.add_variables("environment", {"GEMPROXY_UPSTREAM_PROXY_FILE": "/run/secrets/proxy"})

    assert layers(sources) == [
        (
            "environment GEMPROXY_UPSTREAM_PROXY_FILE",
            {"upstream": {"proxy": "file:///run/secrets/proxy"}},
        )
    ]


def test_a_setting_that_is_called_file_is_no_secret_s_file(sources: Sources) -> None:
    sources.add_variables("environment", {"GEMPROXY_LOGGING_FILE": "gemproxy.log"})

    assert layers(sources) == [
        ("environment GEMPROXY_LOGGING_FILE", {"logging": {"file": "gemproxy.log"}})
    ]


def test_an_unknown_variable_with_our_prefix_is_a_problem_with_a_guess(sources: Sources) -> None:
    sources.add_variables(
        "environment",
        {
            "GEMPROXY_SERVER_PROT": "1",
            "GEMPROXY_FINISH_REASONS_other": "accept",
            "GEMPROXY_SETTINGS": "a.toml",
            "UNRELATED": "x",
        },
    )

    prot, other = sources.problems
    assert prot.startswith("GEMPROXY_SERVER_PROT: no such setting; did you mean ")
    assert prot.endswith(" GEMPROXY_SERVER_PORT? (from environment)")
    assert other.startswith("GEMPROXY_FINISH_REASONS_other: no such setting; did you mean ")
    assert other.endswith(" GEMPROXY_FINISH_REASONS_OTHER? (from environment)")


def test_a_finish_reason_without_a_default_is_found_among_the_variables(sources: Sources) -> None:
    sources.add_variables("environment", {"GEMPROXY_FINISH_REASONS_NEW_ONE": "resume"})

    assert not sources.problems
    assert [option.path for option in sources.options()][-1] == "finish_reasons.NEW_ONE"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GEMPROXY_SERVICE_HOST", "10.0.0.7"),
        ("GEMPROXY_SERVICE_PORT", "8000"),
        ("GEMPROXY_SERVICE_PORT_HTTP", "8000"),
        ("GEMPROXY_PORT", "tcp://10.0.0.7:8000"),
        ("GEMPROXY_PORT_8000_TCP", "tcp://10.0.0.7:8000"),
        ("GEMPROXY_PORT_8000_TCP_ADDR", "10.0.0.7"),
        ("GEMPROXY_REDIS_SERVICE_HOST", "10.0.0.8"),
        ("GEMPROXY_REDIS_PORT", "tcp://10.0.0.8:6379"),
    ],
)
def test_what_kubernetes_sets_for_a_service_called_gemproxy_is_no_setting(
    sources: Sources, name: str, value: str
) -> None:
    assert sources.read_environment({name: value, "OTHER": "tcp://x"}) == {"OTHER": "tcp://x"}


def test_no_setting_is_taken_for_a_service_link(sources: Sources) -> None:
    variables = dict.fromkeys(catalogue().variables(), "value")

    assert sources.read_environment(variables) == variables


def test_an_empty_alias_counts_as_not_set(sources: Sources) -> None:
    sources.add_aliases(
        ".env", {"PORT": "", "HOST": "h"}, {"PORT": "server.port", "HOST": "server.host"}
    )

    assert layers(sources) == [(".env HOST", {"server": {"host": "h"}})]


def test_flags_are_read_in_every_spelling_and_keep_it(sources: Sources) -> None:
    named, flags = sources.read_flags(
        [
            "--config=a.toml",
            "--server.host=::1",
            "--max-connections",
            "5",
            "--quite-unlike",
            "--repair.enabled",
            "no",
            "--logging.debug_mode",
            "--finish_reasons.NEW_ONE",
            "resume",
            "--config",
            "b.toml",
            "--env-file",
            "x.env",
        ]
    )

    assert named == Named(["a.toml", "b.toml"], ["x.env"])
    assert flags == {
        "server.host": ("::1", "--server.host"),
        "server.max_connections": ("5", "--max-connections"),
        "repair.enabled": ("no", "--repair.enabled"),
        "logging.debug_mode": ("true", "--logging.debug_mode"),
        "finish_reasons.NEW_ONE": ("resume", "--finish_reasons.NEW_ONE"),
    }
    assert sources.problems == ["--quite-unlike: no such setting (from the command line)"]


def test_every_unknown_flag_is_a_problem_and_its_value_is_not_another(sources: Sources) -> None:
    sources.read_flags(["--prot", "8000", "--server.hots=::1", "-x", "1", "stray", "astray"])

    assert sources.problems == [
        "--prot: no such setting; did you mean --port? (from the command line)",
        "--server.hots: no such setting; did you mean --server.host? (from the command line)",
        "-x: no such setting (from the command line)",
        "stray: not expected (from the command line)",
        "astray: not expected (from the command line)",
    ]


def test_a_flag_is_not_guessed_from_its_beginning(sources: Sources) -> None:
    _, flags = sources.read_flags(["--server.por", "8000"])

    assert not flags
    assert len(sources.problems) == 1


def test_a_flag_without_its_value_is_a_problem(sources: Sources) -> None:
    assert sources.read_flags(["--port"]) == (Named(), {})
    assert sources.problems == [
        "argument --server.port/--port: expected one argument (from the command line)"
    ]


def test_the_help_lists_every_flag_with_its_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    text = " ".join(flag_help(catalogue()).split())

    for path, option in catalogue().options.items():
        assert f"--{path}" in text
        assert option.metadata["argparse"]["help"] in text


def test_a_file_s_unknown_names_are_problems_with_a_guess(sources: Sources) -> None:
    (sources.cwd / "a.toml").write_text(
        "port = 1\nquux = 2\n[server]\nhots = 'x'\nhost = '::1'\n[upsteam]\nproxy = ''\n"
        "[finish_reasons]\nother = 'accept'\n'A.B' = 'accept'\n"
    )
    sources.add_files(["a.toml"], {}, [])

    assert layers(sources) == [
        ("a.toml", {"server": {"host": "::1"}, "finish_reasons": {"OTHER": "accept"}})
    ]
    assert sources.problems == [
        "port: no such setting; did you mean server.port? (from a.toml)",
        "quux: no such setting (from a.toml)",
        "server.hots: no such setting; did you mean server.host? (from a.toml)",
        "upsteam: no such setting; did you mean upstream? (from a.toml)",
        "finish_reasons.A.B: no such setting; did you mean finish_reasons.OTHER? (from a.toml)",
    ]


def test_a_section_that_is_no_table_is_a_problem(sources: Sources) -> None:
    (sources.cwd / "a.toml").write_text("server = 5\n")
    sources.add_files(["a.toml"], {}, [])

    assert sources.problems == ["server: is not a table (from a.toml)"]


def test_a_file_that_is_missing_or_no_toml_is_a_problem(sources: Sources) -> None:
    (sources.cwd / "broken.toml").write_text("[server")
    sources.add_files(["broken.toml", "missing.toml"], {}, [])

    broken, missing = sources.problems
    assert broken.startswith("broken.toml: is not TOML: ")
    assert missing.startswith(f"{sources.cwd / 'missing.toml'}: cannot be read: No such file")
    assert missing.endswith("(from flag --config)")


def test_files_of_the_flag_replace_those_of_the_variable_which_replace_the_search(
    sources: Sources,
) -> None:
    (sources.cwd / "conf").mkdir()
    for name in ("a.toml", "b.toml", "conf/gemproxy.toml"):
        (sources.cwd / name).write_text("")
    outside = Path(__file__).resolve().parents[2] / "conf" / "gemproxy.toml"
    named = {"GEMPROXY_SETTINGS": f"b.toml:{outside}:"}

    sources.add_files(["a.toml"], named, [sources.cwd])
    sources.add_files([], named, [sources.cwd])
    sources.add_files([], {"GEMPROXY_SETTINGS": ""}, [sources.cwd / "x", sources.cwd])

    names = [name for name, _ in layers(sources)]
    assert names == ["a.toml", "b.toml", str(outside), "conf/gemproxy.toml"]
    assert not sources.problems


def test_a_problem_is_one_line_that_ends_with_its_place() -> None:
    assert problem("server.port", "is not a number", "a.toml") == (
        "server.port: is not a number (from a.toml)"
    )
