"""The keys of all sources together: which count, what each is called, and where it came from."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from yarl import URL

from gemproxy.config.operators import (
    keeps_a_ledger,
    mode_of,
    operators_keys,
    with_proxy,
    with_stored,
)
from gemproxy.config.sections import Access, Pool
from gemproxy.config.settings import Settings, SettingsError
from gemproxy.pool.key import Key, fingerprint
from tests.running import settings

STRONG = "gp-7Kq2mXv9TzRw4Lp8"
K1, K2, K3, K4 = "AIzaSy-one", "AQ.two", "three-of-another-shape", "AIzaSy-four"


def load(cwd: Path, environ: Mapping[str, str]) -> Settings:
    return Settings.load(environ={"PASSWORD": STRONG, **environ}, cwd=cwd).settings


def origins(cwd: Path, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(key.secret, key.origin) for key in operators_keys(load(cwd, environ))]


@pytest.mark.parametrize(
    ("name", "text", "secrets"),
    [
        ("GEMINI_API_KEYS", f"{K1},{K2}", [K1, K2]),
        ("GEMINI_API_KEYS", f'["{K1}", "{K2}"]', [K1, K2]),
        ("GEMINI_API_KEYS_1", f"{K1}, {K2}", [K1, K2]),
        ("GEMINI_API_KEY", f" {K1}\n", [K1]),
        ("GEMINI_API_KEY", f"{K1},{K2}", [K1, K2]),
        ("GEMINI_API_KEY_12", K1, [K1]),
        ("GOOGLE_API_KEY", K1, [K1]),
        ("API_KEYS", f"{K1},{K2}", [K1, K2]),
        ("API_KEYS", f'["{K1}"]', [K1]),
        ("GEMPROXY_POOL_KEYS", f'["{K1}"]', [K1]),
    ],
)
def test_every_variable_with_keys_counts_and_is_the_origin(
    tmp_path: Path, name: str, text: str, secrets: list[str]
) -> None:
    for label, environ in (("environment", {name: text}), (".env", {})):
        if label == ".env":
            (tmp_path / ".env").write_text(f"{name}='{text.strip()}'")

        assert origins(tmp_path, environ) == [(secret, f"{label} {name}") for secret in secrets]


@pytest.mark.parametrize("name", ["GEMINI_API_KEYS", "GEMINI_API_KEY", "GEMINI_API_KEY_1"])
@pytest.mark.parametrize("by_name", [True, False])
def test_a_variable_with_keys_may_name_a_file(tmp_path: Path, name: str, by_name: bool) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{K1}\n")
    environ = {f"{name}_FILE": str(file)} if by_name else {name: f"file://{file}"}

    (found,) = origins(tmp_path, environ)

    assert found[0] == K1
    assert found[1].startswith(f"environment {name}")


def test_all_sources_count_together_and_a_duplicate_counts_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"GEMINI_API_KEY={K1}\nGEMINI_API_KEYS={K3}")
    (tmp_path / "own.toml").write_text(f"[pool]\nkeys = ['{K4}', '{K2}']")
    environ = {
        "GEMPROXY_SETTINGS": "own.toml",
        "GEMINI_API_KEY_10": "ten",
        "GEMINI_API_KEY_9": "nine",
        "GEMINI_API_KEY": K2,
        "GOOGLE_API_KEY": "google",
        "API_KEYS": f"{K1},{K2},api",
    }

    assert origins(tmp_path, environ) == [
        (K4, "own.toml"),
        (K2, "own.toml"),
        (K1, "environment API_KEYS"),
        ("api", "environment API_KEYS"),
        ("nine", "environment GEMINI_API_KEY_9"),
        ("ten", "environment GEMINI_API_KEY_10"),
        ("google", "environment GOOGLE_API_KEY"),
        (K3, ".env GEMINI_API_KEYS"),
    ]


def test_other_variables_have_no_keys(tmp_path: Path) -> None:
    names = ("GEMINI_API_KEY_", "GEMINI_API_KEY_A", "MY_API_KEYS", "GEMINI_API_KEYSET", "API_KEY")

    assert origins(tmp_path, dict.fromkeys(names, K1) | {"GEMINI_API_KEYS": " "}) == []


@pytest.mark.parametrize("text", ["one two", "one\x00two", "one\ntwo", "gp-canary", "['canary']"])
@pytest.mark.parametrize("name", ["GEMINI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY_3"])
def test_a_wrong_key_is_reported_with_its_variable_alone(
    tmp_path: Path, name: str, text: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, {name: text})

    (problem,) = caught.value.problems
    assert problem.startswith("pool.keys: *** holds a ") or "JSON" in problem
    assert problem.endswith(f"(from environment {name})")
    assert "two" not in problem
    assert "canary" not in problem


def test_where_clients_bring_their_keys_others_variables_need_not_hold_any(tmp_path: Path) -> None:
    environ = {"GEMPROXY_POOL_MODE": "passthrough", "API_KEYS": "not a key", "GEMINI_API_KEY": K1}

    settings = load(tmp_path, environ)

    assert mode_of(settings, stored=True) == "passthrough"


def test_a_key_in_a_project_belongs_to_it_and_any_other_is_its_own(tmp_path: Path) -> None:
    environ = {
        "GEMPROXY_POOL_PROJECTS": f'{{"lab": ["{K1}", "{K2}"], "home": "{K3}"}}',
        "GEMINI_API_KEYS": f"{K2},{K4}",
        "GEMPROXY_POOL_PROXIES": '{"lab": "http://me:x@proxy.test", "home": "http://p.test:1"}',
    }
    settings = Settings.load(environ=environ, cwd=tmp_path, starting=False).settings

    keys = operators_keys(settings)

    assert [(key.secret, key.project) for key in keys] == [
        (K1, "lab"),
        (K2, "lab"),
        (K3, "home"),
        (K4, fingerprint(K4)),
    ]
    assert keys[1].origin == "environment GEMPROXY_POOL_PROJECTS"
    assert [str(key.proxy.host) if key.proxy else "" for key in keys] == [
        "proxy.test",
        "proxy.test",
        "p.test",
        "",
    ]
    assert with_proxy(keys[3], {fingerprint(K4): "http://q.test"}).proxy


@pytest.mark.parametrize(
    ("pool", "stored", "mode"),
    [
        (Pool(), False, "passthrough"),
        (Pool(), True, "pool"),
        (Pool(keys=K1), False, "pool"),
        (Pool(projects={"lab": [K1]}), False, "pool"),
        (Pool(keys=K1, mode="both"), False, "both"),
        (Pool(keys=K1, mode="passthrough"), True, "passthrough"),
    ],
)
def test_the_mode_is_pool_where_there_are_keys_unless_it_is_set(
    pool: Pool, stored: bool, mode: str
) -> None:
    assert mode_of(Settings(pool=pool), stored=stored) == mode


def test_no_key_is_in_the_repr_of_the_settings() -> None:
    pool = Pool(keys=K1, projects={"lab": [K2]}, proxies={"lab": "http://me:canary@host"})
    access = Access(keys={"ann": STRONG}, password=f"{STRONG}x")

    shown = repr(Settings(pool=pool, access=access)) + repr(operators_keys(Settings(pool=pool)))

    for secret in (K1, K2, STRONG, "canary"):
        assert secret not in shown


def test_a_stored_key_counts_unless_the_settings_have_it() -> None:
    ours, own = Key(K1, "home", "a flag"), URL("http://own.test:1")
    stored = [Key(K1, "lab", "store"), Key(K2, "lab", "store"), Key(K3, "lab", "store", own)]

    first, second, third = with_stored([ours], stored, {"lab": "http://of-lab.test:1"})

    assert first is ours
    assert (second.secret, second.proxy) == (K2, URL("http://of-lab.test:1"))
    assert third.proxy == own


@pytest.mark.parametrize("pooled", [False, True])
def test_a_ledger_is_kept_with_a_pool(*, pooled: bool) -> None:
    assert keeps_a_ledger(Settings(), pooled=pooled) is pooled


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("enabled", [False, True])
def test_the_setting_decides(*, enabled: bool, pooled: bool) -> None:
    given = settings("http://127.0.0.1:9", ledger={"enabled": enabled})

    assert keeps_a_ledger(given, pooled=pooled) is enabled


@pytest.mark.parametrize(
    "sections",
    [
        {
            "ledger": {"enabled": None, "database_url": "sqlite:///x"},
            "server": {"data_dir": "data"},
        },
        {"ledger": {"enabled": None}, "server": {"data_dir": "elsewhere"}},
    ],
)
def test_a_ledger_is_kept_where_its_place_is_named(sections: dict[str, dict[str, str]]) -> None:
    assert keeps_a_ledger(settings("http://127.0.0.1:9", **sections), pooled=False)
