"""The command line: which command runs, with what, and what it returns."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from gemproxy import __version__
from gemproxy.__main__ import COMMANDS, main
from gemproxy.ledger.audit import Audit
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.settings import SettingsTable
from gemproxy.pool.key import fingerprint

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _nothing_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test in an empty directory, without settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOST", "PORT", "GEMPROXY_SETTINGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], list[object]]:
    """Put a module with one function in place; what it is called with is recorded."""

    def put(module_name: str, function_name: str) -> list[object]:
        calls: list[object] = []
        module = ModuleType(module_name)

        def record(argument: object) -> int:
            calls.append(argument)
            return 7

        setattr(module, function_name, record)
        monkeypatch.setitem(sys.modules, module_name, module)
        return calls

    return put


@pytest.mark.parametrize("argv", [["serve", "--port", "9000"], ["--port", "9000"]])
def test_serve_is_the_default_and_gets_the_settings(
    stand_in: Callable[[str, str], list[object]], argv: list[str]
) -> None:
    from gemproxy.config.settings import Loaded  # noqa: PLC0415 (as late as the command does)

    calls = stand_in("gemproxy.web.server", "serve")

    assert main(argv) == 7
    (loaded,) = calls
    assert isinstance(loaded, Loaded)
    assert loaded.settings.server.port == 9000


def test_the_process_s_arguments_are_the_standard_ones(
    stand_in: Callable[[str, str], list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = stand_in("gemproxy.web.server", "serve")
    monkeypatch.setattr(sys, "argv", ["gemproxy"])

    assert main() == 7
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("command", "module"),
    [("demo", "gemproxy.demo"), ("chaos", "gemproxy.chaos.__main__"), ("probe", "gemproxy.probe")],
)
def test_the_other_commands_get_their_own_arguments(
    stand_in: Callable[[str, str], list[object]], command: str, module: str
) -> None:
    calls = stand_in(module, "run")

    assert main([command, "--help", "x"]) == 7
    assert calls == [["--help", "x"]]


def test_check_shows_every_setting_in_aligned_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--port", "9000", "--upstream.proxy=http://me:pw@proxy.test"]) == 0

    head, *lines = capsys.readouterr().out.splitlines()
    value, origin = head.index("value"), head.index("from")
    rows = [
        (text[:value].strip(), text[value:origin].strip(), text[origin:].strip()) for text in lines
    ]
    assert ("server.port", "9000", "flag --port") in rows
    assert ("upstream.proxy", "http://***@proxy.test", "flag --upstream.proxy") in rows
    assert all(all(row) for row in rows)


@pytest.mark.parametrize(
    ("flags", "warned"),
    [
        ([], False),
        (["--upstream.first_byte_timeout_seconds=300"], False),
        (["--upstream.first_byte_timeout_seconds=299"], True),
    ],
)
def test_check_warns_of_a_patience_that_a_long_thought_outlasts(
    capsys: pytest.CaptureFixture[str], flags: list[str], *, warned: bool
) -> None:
    assert main(["check", *flags]) == 0

    told = capsys.readouterr().err
    assert ("gemproxy: warning: upstream.first_byte_timeout_seconds" in told) is warned
    assert ("299 s is less" in told) is warned
    assert told.count("\n") == warned


def test_check_names_the_alias_of_a_patience_that_is_short(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUEST_TIMEOUT_SECONDS", "60")

    assert main(["check"]) == 0

    assert "REQUEST_TIMEOUT_SECONDS" in capsys.readouterr().err


def test_check_shows_what_was_changed_while_a_proxy_ran(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def change() -> None:
        engines = Engines.of(place_of("", Path("kept")))
        await prepare(engines)
        values = {"repair.max_resumes": 3, "pool.strategy": "weighted"}
        await SettingsTable(engines, Audit(engines)).change(lambda _: (values, ()))
        await engines.close()

    Path("kept").mkdir()
    asyncio.run(change())

    assert main(["check", "--data-dir", "kept", "--pool.strategy", "round_robin"]) == 0

    said = capsys.readouterr()
    rows = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()}
    assert rows["repair.max_resumes"] == ["3", "admin"]
    assert rows["pool.strategy"] == ["round_robin", "flag", "--pool.strategy"]
    assert "a stored setting is not used: pool.strategy" in said.err


def test_check_shows_the_settings_where_the_ledger_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("kept").mkdir()
    Path("kept", "ledger.sqlite").write_bytes(b"no database at all" * 100)

    assert main(["check", "--data-dir", "kept"]) == 0

    said = capsys.readouterr()
    assert "settings that were changed at run time cannot be read: server.data_dir" in said.err
    assert "pool.strategy" in said.out


@pytest.mark.parametrize("command", ["serve", "check"])
def test_problems_are_lines_on_standard_error_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "--port", "eighty", "--host", "0.0.0.0"]) == 2

    captured = capsys.readouterr()
    first, second = captured.err.splitlines()
    assert captured.out == ""
    assert first == "gemproxy: server.port: 'eighty' is not a whole number (from flag --port)"
    assert second.startswith("gemproxy: server.host: '0.0.0.0' lets other machines in")


KEYS = {
    "GEMINI_API_KEYS": "AIzaSyCanary-one,canary-two",
    "GEMPROXY_POOL_PROJECTS": '{"lab": ["canary-three"]}',
    "GEMPROXY_POOL_PROXIES": '{"lab": "http://me:canary@proxy.test"}',
    "GEMPROXY_SECRET_KEY": "canary-of-the-vault",
    "GEMPROXY_ACCESS_KEYS": '{"ann": "ann-canary-5f2c9a7e31d8"}',
    "PASSWORD": "shared-canary-84b60c1d",
}


def test_check_shows_keys_by_their_fingerprints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)

    assert main(["check"]) == 0

    captured = capsys.readouterr()
    shown = {line.split()[0]: line for line in captured.out.splitlines()}
    assert "canary" not in (captured.out + captured.err).lower()
    assert fingerprint("canary-two") in shown["pool.keys"]
    assert shown["pool.keys"].endswith(" environment GEMINI_API_KEYS")
    assert f"lab: {fingerprint('canary-three')}" in shown["pool.projects"]
    assert "lab: http://***@proxy.test" in shown["pool.proxies"]
    assert "ann: ***" in shown["access.keys"]
    assert shown["access.password"].split()[1:] == ["***", "environment", "PASSWORD"]
    assert "***" in shown["server.secret_key"]


@pytest.mark.parametrize("name", [*KEYS, "API_KEYS", "GEMINI_API_KEY", "GOOGLE_API_KEY"])
@pytest.mark.parametrize("value", ["sp ace canary", '["canary', '{"a": "canary', "gp-canary\x01"])
@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_wrong_key_is_not_shown(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv(name, value)
    if name == "GEMPROXY_SECRET_KEY" and "\x01" not in value:
        return  # any line of text is one

    assert main([command]) == 2

    captured = capsys.readouterr()
    assert name in captured.err
    assert "canary" not in captured.out + captured.err


def test_check_reads_the_projects_in_the_data_directory(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pool.sqlite").write_text("no database")

    assert main(["check"]) == 2

    assert "gemproxy: server.data_dir: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("serv", "did you mean serve?"),
        (
            "x",
            "only serve, stop, health, check, doctor, demo, keys, users, usage, db, chaos, probe",
        ),
    ],
)
def test_an_unknown_command_is_refused(
    capsys: pytest.CaptureFixture[str], name: str, hint: str
) -> None:
    assert main([name]) == 2
    assert hint in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gemproxy {__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    assert main([flag]) == 0

    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize("command", ["serve", "check"])
def test_the_help_of_a_command_lists_the_flags(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "--help"]) == 0
    assert "--max-connections" in capsys.readouterr().out


def test_the_command_line_alone_imports_neither_server_nor_settings() -> None:
    program = "import gemproxy.__main__, sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    heavy = {"aiohttp", "asyncio", "attrs", "cattrs", "typed_settings", "gemproxy.config.settings"}
    assert not heavy & set(result.stdout.split())


@pytest.mark.parametrize("program", [["-m", "gemproxy"], ["run.py"]])
def test_both_programs_exit_with_the_code_of_the_command(program: list[str]) -> None:
    command = [sys.executable, *program]

    version = subprocess.run(
        [*command, "--version"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    unknown = subprocess.run([*command, "unknown"], cwd=ROOT, capture_output=True, check=False)

    assert (version.returncode, version.stdout) == (0, f"gemproxy {__version__}\n")
    assert unknown.returncode == 2
