"""The settings: what wins, where it came from, and what is refused."""

import ast
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.config import settings
from gemproxy.config.settings import ALIASES, Settings, SettingsError, catalogue, usage
from gemproxy.core.repair.verdict import POLICY_REASONS, FinishTable, Verdict
from tests.certificates import make


def problems(
    cwd: Path, argv: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.load(argv, environ or {}, cwd)
    return caught.value.problems


def outcome(environ: Mapping[str, str]) -> list[str]:
    try:
        Settings.load(environ=environ, cwd=Path("/nonexistent"))
    except SettingsError as error:
        return error.problems
    return []


def write_conf(cwd: Path, text: str) -> None:
    (cwd / "conf").mkdir(exist_ok=True)
    (cwd / "conf" / "gemproxy.toml").write_text(text)


def test_without_any_source_the_settings_are_the_defaults(tmp_path: Path) -> None:
    loaded = Settings.load(environ={}, cwd=tmp_path)

    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert list(loaded.origins) == list(catalogue().options)


def test_settings_are_frozen_and_can_be_sent_to_another_process() -> None:
    settings = Settings()

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        settings.server.port = 1  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_each_source_is_stronger_than_the_one_before_and_is_named(tmp_path: Path) -> None:
    def port(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str]:
        loaded = Settings.load(argv, environ, tmp_path)
        return loaded.settings.server.port, loaded.origins["server.port"]

    assert port([], {}) == (8000, "default")
    write_conf(tmp_path, "[server]\nport = 1\n")
    assert port([], {}) == (1, "conf/gemproxy.toml")
    (tmp_path / "own.toml").write_text("[server]\nport = 2\n")
    assert port([], {"GEMPROXY_SETTINGS": "own.toml"}) == (2, "own.toml")
    (tmp_path / ".env").write_text("PORT=3")
    assert port([], {}) == (3, ".env PORT")
    assert port([], {"PORT": "4"}) == (4, "environment PORT")
    (tmp_path / ".env").write_text("GEMPROXY_PORT=5")
    assert port([], {"PORT": "4"}) == (5, ".env GEMPROXY_PORT")
    own = {"PORT": "4", "GEMPROXY_SERVER_PORT": "6"}
    assert port([], own) == (6, "environment GEMPROXY_SERVER_PORT")
    assert port(["--port", "7"], own) == (7, "flag --port")


def test_dotenv_may_name_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[repair]\nmax_resumes = 3\n")
    (tmp_path / ".env").write_text("GEMPROXY_SETTINGS=own.toml")

    loaded = Settings.load(environ={}, cwd=tmp_path)

    assert loaded.settings.repair.max_resumes == 3
    assert loaded.origins["repair.max_resumes"] == "own.toml"


def test_the_process_s_own_environment_and_directory_are_the_standard_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMPROXY_PUBLIC_URL", "https://elsewhere.test")
    monkeypatch.setenv("GEMPROXY_SETTINGS", "")

    loaded = Settings.load()

    assert loaded.settings.server.public_url == "https://elsewhere.test"
    assert loaded.origins["server.public_url"] == "environment GEMPROXY_PUBLIC_URL"
    assert loaded.origins["server.port"].endswith("conf/gemproxy.toml")


@pytest.mark.parametrize(("alias", "path"), ALIASES.items())
def test_every_alias_sets_what_it_stands_for(tmp_path: Path, alias: str, path: str) -> None:
    values = {
        "HOST": "127.0.0.2",
        "UPSTREAM_URL_BASE": "http://localhost:9",
        "SWALLOW_THOUGHTS_AFTER_RETRY": "false",
        "DEBUG_MODE": "true",
        "LOG_LEVEL": "ERROR",
        "PASSWORD": "k3-Vw9-qZ7-Lm2-Tx",
        "DATABASE_URL": "postgres://gem@db.test/ledger",
        "IMAGE_STORAGE_TYPE": "local",
        "HOST_URL": "https://pictures.test",
        "RENDER_EXTERNAL_URL": "https://proxy.test",
        "HISTORY_IMAGE_SUBMIT_TYPE": "all",
    }
    loaded = Settings.load(environ={alias: values.get(alias, "7")}, cwd=tmp_path)

    assert loaded.origins[path] == f"environment {alias}"
    assert [path for path, origin in loaded.origins.items() if origin != "default"] == [path]


def test_every_problem_of_every_source_is_reported_at_once(tmp_path: Path) -> None:
    write_conf(tmp_path, "[server]\nprot = 1\n[repair]\nenabled = 'perhaps'\n")
    (tmp_path / ".env").write_text("RETRY_DELAY_MS=fast")

    found = problems(
        tmp_path,
        ["--client.heartbeat_seconds", "0"],
        {"GEMPROXY_SERVER_PORT": "eighty", "GEMPROXY_TYPO": "1"},
    )

    assert found == [
        "server.prot: no such setting; did you mean server.port? (from conf/gemproxy.toml)",
        "GEMPROXY_TYPO: no such setting; did you mean GEMPROXY_PORT? (from environment)",
        "server.port: 'eighty' is not a whole number (from environment GEMPROXY_SERVER_PORT)",
        "repair.enabled: 'perhaps' is not true or false (from conf/gemproxy.toml)",
        "repair.retry_delay_ms: 'fast' is not a whole number (from .env RETRY_DELAY_MS)",
        "client.heartbeat_seconds: '0' is not more than 0 (from flag --client.heartbeat_seconds)",
    ]


def test_the_error_s_text_is_its_problems() -> None:
    assert str(SettingsError(["one", "two"])) == "one\ntwo"


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.2", "example.test", "127.1", "localhost.test"]
)
def test_a_host_that_other_machines_reach_is_refused_without_consent(
    tmp_path: Path, host: str
) -> None:
    (problem,) = problems(tmp_path, ["--host", host])

    assert problem.startswith(f"server.host: '{host}' lets other machines in")
    assert "server.allow_passthrough_keys" in problem
    assert problem.endswith("(from flag --host)")
    assert "\n" not in problem


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.test"])
def test_a_host_that_other_machines_reach_is_taken_with_consent(tmp_path: Path, host: str) -> None:
    loaded = Settings.load(["--host", host, "--allow-passthrough-keys"], {}, tmp_path)

    assert loaded.settings.server.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_a_loopback_host_needs_no_consent(tmp_path: Path, host: str) -> None:
    assert Settings.load(["--host", host], {}, tmp_path).settings.server.host == host


def test_several_processes_may_share_a_log_file(tmp_path: Path) -> None:
    loaded = Settings.load(["--workers", "2", "--logging.file", "a.log"], {}, tmp_path)

    assert loaded.settings.logging.file == "a.log"


def test_the_files_of_tls_are_looked_at(tmp_path: Path) -> None:
    files = make(tmp_path)
    loaded = Settings.load(["--tls-cert", files.cert, "--tls-key", files.key], {}, tmp_path)
    assert loaded.settings.server.tls_key == files.key

    (problem,) = problems(tmp_path, ["--tls-cert", files.cert, "--tls-key", files.cert])

    assert problem.startswith(f"server.tls_key: {files.cert!r} is no private key in PEM form")
    assert problem.endswith("(from flag --tls-key)")


@pytest.mark.parametrize(("given", "missing"), [("cert", "key"), ("key", "cert")])
def test_one_file_of_tls_is_not_enough(tmp_path: Path, given: str, missing: str) -> None:
    (problem,) = problems(tmp_path, [f"--tls-{given}", "a.pem"])

    assert problem.startswith(f"server.tls_{missing}: '' is no file, and server.tls_{given} alone")


@pytest.mark.parametrize("end", ["\n", "\\n"])
def test_a_key_in_the_place_of_its_file_is_not_shown(tmp_path: Path, end: str) -> None:
    pem = f"-----BEGIN PRIVATE KEY-----{end}hunter2{end}-----END PRIVATE KEY-----"

    for problem in problems(tmp_path, ["--tls-cert", make(tmp_path).cert, "--tls-key", pem]):
        assert problem.startswith("server.tls_key: ")
        assert "hunter2" not in problem


def test_one_finish_reason_is_set_without_losing_the_others(tmp_path: Path) -> None:
    write_conf(tmp_path, "[finish_reasons]\nrecitation = 'reroll'\n")
    environ = {"GEMPROXY_FINISH_REASONS_BRAND_NEW": "resume"}

    loaded = Settings.load(["--finish_reasons.OTHER=accept"], environ, tmp_path)

    assert loaded.settings.finish_reasons == {
        **Settings().finish_reasons,
        "RECITATION": "reroll",
        "BRAND_NEW": "resume",
        "OTHER": "accept",
    }
    assert loaded.origins["finish_reasons.RECITATION"] == "conf/gemproxy.toml"
    assert loaded.origins["finish_reasons.LANGUAGE"] == "default"


@pytest.mark.parametrize("reason", sorted(POLICY_REASONS | {"IMAGE_BRAND_NEW"}))
@pytest.mark.parametrize("ending", ["accept", "resume", "nonsense"])
def test_a_policy_ending_cannot_be_set_to_anything(
    tmp_path: Path, reason: str, ending: str
) -> None:
    write_conf(tmp_path, f"[finish_reasons]\n{reason.lower()} = '{ending}'\n")

    (problem,) = problems(tmp_path)

    assert problem.startswith(f"finish_reasons.{reason}: cannot be set: a policy ending is passed")
    assert problem.endswith("(from conf/gemproxy.toml)")


@pytest.mark.parametrize("reason", ["STOP", "MAX_TOKENS", "CONTINUATION"])
def test_a_regular_ending_cannot_be_set(tmp_path: Path, reason: str) -> None:
    (problem,) = problems(tmp_path, [f"--finish_reasons.{reason}", "resume"])

    assert problem.startswith(f"finish_reasons.{reason}: cannot be set: what this ending means")


def test_the_finish_reasons_are_what_the_core_s_table_takes() -> None:
    endings = Settings().finish_reasons
    table = FinishTable({reason: Verdict(ending) for reason, ending in endings.items()})

    assert table == FinishTable()


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "proxy").write_text("http://user:pass@proxy.test:3128\n")
    environ = {"GEMPROXY_UPSTREAM_PROXY_FILE": str(tmp_path / "proxy")}

    loaded = Settings.load(environ=environ, cwd=tmp_path)

    assert loaded.settings.upstream.proxy == "http://user:pass@proxy.test:3128"
    assert loaded.origins["upstream.proxy"] == "environment GEMPROXY_UPSTREAM_PROXY_FILE"


def test_a_secret_s_file_that_is_missing_is_a_problem(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, ["--upstream.proxy", "file:///missing/proxy"])

    assert problem.startswith("upstream.proxy: '/missing/proxy' cannot be read: No such file")


def test_only_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    loaded = Settings.load(["--logging.file", "file:///etc/hostname"], {}, tmp_path)

    assert loaded.settings.logging.file == "file:///etc/hostname"


def test_a_secret_is_in_no_problem_no_row_and_no_repr(tmp_path: Path) -> None:
    url = "http://user:hunter2@proxy.test"
    loaded = Settings.load(["--upstream.proxy", url], {}, tmp_path)
    (wrong,) = problems(tmp_path, ["--upstream.proxy", "user:hunter2/@proxy"])

    assert loaded.settings.upstream.proxy == url
    assert ("upstream.proxy", "http://***@proxy.test", "flag --upstream.proxy") in loaded.rows()
    assert "hunter2" not in repr(loaded.settings)
    assert wrong.startswith("upstream.proxy: *** is not an http(s) URL")
    assert "hunter2" not in wrong


def test_a_key_in_a_wrong_value_is_masked(tmp_path: Path) -> None:
    (problem,) = problems(
        tmp_path, [], {"UPSTREAM_URL_BASE": "https://me:hunter2@host?key=test-key"}
    )

    assert "test-key" not in problem
    assert "hunter2" not in problem


def test_rows_show_every_setting_its_value_and_its_origin(tmp_path: Path) -> None:
    rows = list(Settings.load(["--max-body-bytes", "64MiB"], {}, tmp_path).rows())

    assert [path for path, _, _ in rows] == list(catalogue().options)
    assert ("server.max_body_bytes", "64MiB", "flag --max-body-bytes") in rows
    assert ("repair.enabled", "true", "default") in rows
    assert ("logging.file", '""', "default") in rows
    assert ("finish_reasons.OTHER", "resume", "default") in rows


def test_every_setting_is_read_by_something() -> None:
    """Only these see the settings tree, so what none of them reads has no effect."""
    package = Path(settings.__file__).parents[1]
    modules = [*(package / "web").glob("*.py"), package / "config" / "operators.py"]
    trees = [ast.parse(module.read_text("utf-8")) for module in modules]
    read = {
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }

    names = {path.partition(".")[2] for path in Settings.load([], {}, package).origins}
    keys = {name for name in names if name.islower()}
    assert keys - read == {"allow_passthrough_keys"}, "which confirms server.host, at the start"
    assert "finish_reasons" in read


@pytest.mark.parametrize("name", ["server.data_base", "logging.log_content"])
def test_a_setting_that_nothing_read_is_none(tmp_path: Path, name: str) -> None:
    (problem,) = problems(tmp_path, [f"--{name}", "x"], {})

    assert "no such setting" in problem


def test_every_setting_says_what_it_is() -> None:
    for option in catalogue().options.values():
        assert option.metadata["argparse"]["help"].endswith(".")
    assert "--upstream.url_base" in usage()


@given(
    st.dictionaries(
        st.sampled_from(sorted(catalogue().variables())), st.text(max_size=12), max_size=5
    )
)
def test_any_variables_give_settings_or_one_line_per_problem(environ: dict[str, str]) -> None:
    for line in outcome(environ):
        assert line.isprintable()
        assert line.endswith(")")


def test_headers_go_out_before_what_stands_in_front_gives_up() -> None:
    """h2o and Apache Traffic Server cut a silent server after 30 s."""
    client = Settings().client

    assert client.headers_after_seconds < 30
    assert client.heartbeat_seconds < 30


def test_secrets_in_lists_and_tables_may_be_in_files(tmp_path: Path) -> None:
    for name in ("one", "two", "ann", "lab"):
        (tmp_path / name).write_text(f"{name}-5f2c9a7e31d84b60\n")
    (tmp_path / "own.toml").write_text(
        f"[pool]\nkeys = ['file://{tmp_path}/one']\n"
        f"[pool.projects]\nlab = ['file://{tmp_path}/lab']\n"
        f"[access.keys]\nann = 'file://{tmp_path}/ann'\n"
    )
    environ = {
        "GEMPROXY_SETTINGS": "own.toml",
        "GEMINI_API_KEYS": json.dumps([f"file://{tmp_path}/two"]),
        "PASSWORD_FILE": str(tmp_path / "two"),
        "GEMPROXY_SECRET_KEY_FILE": str(tmp_path / "ann"),
    }

    loaded = Settings.load(environ=environ, cwd=tmp_path, starting=False)

    settings = loaded.settings
    assert [key.secret for key in settings.pool.keys] == [
        "one-5f2c9a7e31d84b60",
        "two-5f2c9a7e31d84b60",
    ]
    assert settings.pool.projects["lab"][0].secret == "lab-5f2c9a7e31d84b60"
    assert settings.access.keys == {"ann": "ann-5f2c9a7e31d84b60"}
    assert settings.access.password == "two-5f2c9a7e31d84b60"
    assert settings.server.secret_key == "ann-5f2c9a7e31d84b60"
    assert loaded.origins["access.password"] == "environment PASSWORD_FILE"
    assert loaded.origins["pool.keys"] == "own.toml, environment GEMINI_API_KEYS"
    shown = "\n".join(map(str, loaded.rows()))
    assert "5f2c9a7e31d84b60" not in shown


def test_a_file_that_cannot_be_read_is_named_where_a_list_names_it(tmp_path: Path) -> None:
    environ = {"GEMINI_API_KEYS": '["file:///nowhere/at/all"]', "GEMPROXY_POOL_OPEN": "true"}

    (problem,) = problems(tmp_path, [], environ)

    why = "'/nowhere/at/all' cannot be read: No such file or directory"
    assert problem == f"pool.keys: *** {why} (from environment GEMINI_API_KEYS)"


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"GEMPROXY_POOL_MODE": "passthrough", "GEMINI_API_KEYS": "one"}, "pool.mode"),
        ({"GEMPROXY_POOL_MODE": "passthrough", "GEMINI_API_KEY": "one"}, None),
        ({"PASSWORD": "gp-7Kq2mXv9TzRw4Lp8"}, "access.password"),
        ({"GEMPROXY_ACCESS_KEYS": '{"ann": "gp-7Kq2mXv9TzRw4Lp8"}'}, "access.keys"),
        ({"PASSWORD": "gp-7Kq2mXv9TzRw4Lp8", "GEMINI_API_KEYS": "one"}, None),
    ],
)
def test_keys_without_effect_are_warned_about(
    tmp_path: Path, environ: Mapping[str, str], path: str | None
) -> None:
    warned = list(Settings.load(environ=environ, cwd=tmp_path).warnings())

    assert [text.partition(":")[0] for text in warned] == ([path] if path else [])
