"""Starts that are refused: nobody could be served, or everybody could spend the keys."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gemproxy.config import starting
from gemproxy.config.loading import Stored
from gemproxy.config.settings import Settings, SettingsError
from gemproxy.config.starting import StoredUsers, access_keys
from gemproxy.pool.key import fingerprint

ANN, BOB = "gp-7Kq2mXv9TzRw4Lp8", "bobs-5f2c9a7e31d84b60"
K1, K2 = "AIzaSyOneCanaryCanaryCanaryCanary", "two-canary-canary"
POOL = {"GEMINI_API_KEYS": f"{K1},{K2}"}
NO_USERS = StoredUsers()
PUBLIC = {"GEMPROXY_HOST": "0.0.0.0"}
MAY_PASS = {"GEMPROXY_ALLOW_PASSTHROUGH_KEYS": "true"}


def problems(
    environ: Mapping[str, str],
    stored: Sequence[str] = (),
    users: StoredUsers = NO_USERS,
    *,
    starting: bool = True,
) -> list[str]:
    """Return the problems of a start, which show no key."""
    cwd = Path("/nonexistent")
    try:
        kept = Stored(lambda *_: stored, lambda *_: users)
        Settings.load(environ=environ, cwd=cwd, stored=kept, starting=starting)
    except SettingsError as error:
        for text in error.problems:
            assert text.isprintable()
            assert not any(secret in text for secret in (K1, K2, ANN, BOB))
        return error.problems
    return []


def mode(name: str) -> dict[str, str]:
    return {"GEMPROXY_POOL_MODE": name}


def access(**keys: str) -> dict[str, str]:
    return {"GEMPROXY_ACCESS_KEYS": json.dumps(keys)}


@pytest.mark.parametrize("where", [{}, PUBLIC])
def test_a_pool_without_any_access_key_is_refused_and_every_key_s_place_is_named(
    where: Mapping[str, str],
) -> None:
    (problem,) = problems({**POOL, **where})

    assert problem.startswith("access.keys: none is set")
    assert f"{fingerprint(K1)} from environment GEMINI_API_KEYS" in problem
    for way in ("PASSWORD", "openssl rand", "pool.open", "pool.mode", "passthrough"):
        assert way in problem


@pytest.mark.parametrize("where", [{}, PUBLIC])
@pytest.mark.parametrize("keys", [{"PASSWORD": ANN}, access(ann=ANN, bob=BOB)])
def test_a_pool_with_access_keys_may_start_anywhere(
    keys: Mapping[str, str], where: Mapping[str, str]
) -> None:
    assert problems({**POOL, **keys, **where}) == []


def test_a_pool_whose_access_keys_are_stored_may_start() -> None:
    assert problems(POOL, users=StoredUsers(any=True)) == []


LIMITS = ("MAX_REQUESTS_PER_MINUTE", "MAX_REQUESTS_PER_DAY_PER_IP")


@pytest.mark.parametrize("limit", LIMITS)
def test_workers_that_would_each_count_alone_are_refused(limit: str) -> None:
    assert problems({limit: "7"}) == []
    assert problems({"WORKERS": "2", limit: "0"}) == []

    (problem,) = problems({"WORKERS": "2", limit: "7"})

    assert problem.startswith("access.requests_per_")
    assert "each process counts its limits alone" in problem
    assert problem.endswith(f"(from environment {limit})")


def test_users_with_limits_have_one_worker() -> None:
    limited = StoredUsers(any=True, limited=("ann", "bob"))
    pool = {**POOL, "PASSWORD": ANN}

    assert problems(pool, users=limited) == []
    assert problems({**pool, "WORKERS": "2"}, users=StoredUsers(any=True)) == []
    (problem,) = problems({**pool, "WORKERS": "2"}, users=limited)

    assert problem.startswith("server.workers: 'ann', 'bob' have limits")
    assert problems({"WORKERS": "2"}, users=limited) == [], "nobody calls with an access key"


def test_stored_users_are_looked_up_only_where_they_matter() -> None:
    def users(*_: str) -> StoredUsers:
        raise AssertionError

    for environ in ({}, {"WORKERS": "2"}, {**POOL, "PASSWORD": ANN}):
        Settings.load(environ=environ, cwd=Path("/nonexistent"), stored=Stored(users=users))


def test_users_that_cannot_be_looked_up_are_a_problem_in_words() -> None:
    def users(*_: str) -> StoredUsers:
        raise ValueError("the database has a newer schema")

    with pytest.raises(SettingsError) as caught:
        Settings.load(environ=POOL, cwd=Path("/nonexistent"), stored=Stored(users=users))

    assert caught.value.problems == [
        "server.data_dir: the database has a newer schema (from default)"
    ]


def test_prices_that_cannot_be_read_are_a_problem_in_words(tmp_path: Path) -> None:
    table = tmp_path / "prices.toml"
    environ = {"GEMPROXY_ACCOUNTS_PRICES": str(table)}

    (missing,) = problems(environ)
    table.write_text("[models")
    (broken,) = problems(environ)
    table.write_text("[models]\n")
    (wrong,) = problems(environ)
    table.write_text("")

    assert "cannot be read: No such file" in missing
    assert "is not TOML" in broken
    assert "models: must be an array of tables" in wrong
    assert problems(environ) == []


def test_an_open_pool_needs_no_access_key_and_is_for_this_machine_only() -> None:
    opened = {**POOL, "GEMPROXY_POOL_OPEN": "true"}

    assert problems(opened) == []
    for keys in ({}, {"PASSWORD": ANN}):
        (problem,) = problems({**opened, **PUBLIC, **keys})
        assert problem.startswith("pool.open: an open pool may listen on 127.0.0.1 only")


@pytest.mark.parametrize("name", ["pool", "both"])
def test_a_pool_without_a_key_is_refused_unless_the_data_directory_has_one(name: str) -> None:
    (problem,) = problems({**mode(name), "PASSWORD": ANN})

    assert problem.startswith(f"pool.mode: '{name}' needs a Gemini key, and there is none")
    assert problem.endswith("(from environment GEMPROXY_POOL_MODE)")
    assert problems({**mode(name), "PASSWORD": ANN}, ["lab"]) == []


def test_keys_in_the_data_directory_make_a_pool() -> None:
    (problem,) = problems({}, ["lab"])

    assert "in the data directory" in problem
    assert problems({"PASSWORD": ANN}, ["lab"]) == []


def test_a_data_directory_that_cannot_be_read_is_a_problem_in_words() -> None:
    def stored(*_: str) -> Sequence[str]:
        raise ValueError("'data' cannot be read: Permission denied")

    with pytest.raises(SettingsError) as caught:
        Settings.load(environ={}, cwd=Path("/nonexistent"), stored=Stored(stored))

    assert caught.value.problems == [
        "server.data_dir: 'data' cannot be read: Permission denied (from default)"
    ]


def test_where_clients_bring_their_keys_the_data_directory_is_not_looked_at() -> None:
    def stored(*_: str) -> Sequence[str]:
        raise AssertionError

    environ = {**mode("passthrough"), "GEMPROXY_POOL_WEIGHTS": '{"lab": 2}'}
    loaded = Settings.load(environ=environ, cwd=Path("/nonexistent"), stored=Stored(stored))

    assert not loaded.stored


@pytest.mark.parametrize("name", ["both", "passthrough"])
def test_where_clients_bring_their_keys_too_a_public_address_needs_consent(name: str) -> None:
    environ = {**POOL, **PUBLIC, **mode(name), "PASSWORD": ANN}

    (problem,) = problems(environ)

    assert problem.startswith("server.host: '0.0.0.0' lets other machines in")
    assert problems({**environ, **MAY_PASS}) == []


def test_both_needs_access_keys_as_a_pool_does() -> None:
    (problem,) = problems({**POOL, **mode("both")})

    assert problem.startswith("access.keys: none is set")


@pytest.mark.parametrize(
    "weak",
    [
        *("123", "password", "changeme", "admin-secret", "123456", "sk-123456", "gemproxy", "test"),
        *("a" * 40, "1234567890123456", "passwordpassword"),
    ],
)
def test_a_weak_access_key_is_refused_with_advice(weak: str) -> None:
    for environ in ({"PASSWORD": weak}, {**POOL, "PASSWORD": weak}, {**POOL, **access(ann=weak)}):
        (problem,) = problems(environ)

        assert problem.startswith("access.")
        assert weak not in problem.replace("access.password: ", "").split()
        assert "16 random characters or more" in problem
        assert "openssl rand" in problem


def test_where_clients_bring_their_keys_a_password_of_another_program_is_no_problem() -> None:
    assert problems({**mode("passthrough"), "PASSWORD": "123"}) == []


@pytest.mark.parametrize("name", ["", "passthrough"])
def test_an_access_key_that_is_a_key_of_the_pool_is_refused(name: str) -> None:
    (problem,) = problems({**POOL, **mode(name), **access(ann=K2)})

    assert problem.startswith("access.keys: the key of 'ann' is a key of the pool too")


@pytest.mark.parametrize("key", ["AIzaSyB-1234567890abcdefghij", "AQ.Ab8RN6Jx1234567890abcdef"])
def test_an_access_key_that_looks_like_a_gemini_key_is_refused(key: str) -> None:
    (problem,) = problems({**POOL, "PASSWORD": key})

    assert "looks like a Gemini key" in problem
    assert key not in problem


def test_equal_access_keys_are_refused_by_their_names() -> None:
    found = problems({**POOL, **access(ann=ANN, bob=ANN), "PASSWORD": ANN})

    assert [text.partition(" (from")[0] for text in found] == [
        "access.keys: the key of 'bob' is the same as the key of 'ann'",
        "access.password: it is the same as the key of 'ann'",
        "access.password: it is the same as the key of 'bob'",
    ]


def test_a_name_that_means_another_caller_is_refused() -> None:
    assert problems({**POOL, **access(password=ANN)}) == []
    for keys in (access(open=ANN), {**access(password=ANN), "PASSWORD": BOB}):
        (problem,) = problems({**POOL, **keys})
        assert "names another caller already" in problem


def test_a_key_in_two_projects_is_refused_by_its_fingerprint() -> None:
    projects = {"GEMPROXY_POOL_PROJECTS": json.dumps({"lab": [K1, K2], "home": [K1]})}

    (problem,) = problems({**projects, "PASSWORD": ANN})

    why = f"the key {fingerprint(K1)} is in several projects: 'lab', 'home'"
    assert problem == f"pool.projects: {why} (from environment GEMPROXY_POOL_PROJECTS)"


@pytest.mark.parametrize(("key", "value"), [("WEIGHTS", 2), ("PROXIES", "http://p.test:1")])
def test_a_project_that_does_not_exist_is_refused(key: str, value: object) -> None:
    environ = {
        "PASSWORD": ANN,
        "GEMPROXY_POOL_PROJECTS": json.dumps({"lab": [K1]}),
        "GEMINI_API_KEY": K2,
    }
    own = fingerprint(K2)

    def found(name: str) -> list[str]:
        return problems({**environ, f"GEMPROXY_POOL_{key}": json.dumps({name: value})}, ["shelf"])

    assert found("lab") == found(own) == found("shelf") == []
    (problem,) = found("lbb")
    assert "no project is called 'lbb'" in problem
    assert "'lab'" in problem


def test_a_proxy_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"PASSWORD": ANN, "GEMPROXY_POOL_PROJECTS": json.dumps({"lab": [K1]})}

    def found(url: str) -> list[str]:
        return problems({**environ, "GEMPROXY_POOL_PROXIES": json.dumps({"lab": url})})

    monkeypatch.setattr(starting, "find_spec", lambda _: None)
    (problem,) = found("socks5://me:canary@host:1080")
    assert "pip install 'gemproxy[socks]'" in problem
    assert "canary" not in problem
    monkeypatch.setattr(starting, "find_spec", lambda _: object())
    assert found("socks5h://me:canary@host:1080") == []
    (problem,) = found("http://a%3Ab:canary@host:1080")
    assert "of project 'lab': the proxy has a colon" in problem
    assert "canary" not in problem


def test_all_problems_are_reported_at_once() -> None:
    found = problems(
        {
            **POOL,
            **access(ann="123", bob=K2),
            "GEMPROXY_POOL_WEIGHTS": '{"lab": 2}',
            "GEMPROXY_POOL_STRATEGY": "best",
            "GEMINI_API_KEY": "one two",
            "GEMPROXY_POOL_OPEN": "true",
            **PUBLIC,
        }
    )

    assert [text.partition(":")[0] for text in found] == [
        "pool.strategy",
        "pool.keys",
        "pool.weights",
        "pool.open",
        "access.keys",
        "access.keys",
    ]


def test_a_command_that_manages_keys_needs_no_access_key() -> None:
    assert problems(POOL, starting=False) == []
    assert problems({**POOL, "GEMPROXY_POOL_WEIGHTS": '{"lab": "x"}'}, starting=False)


def test_a_command_that_manages_keys_may_add_the_first_one_of_a_project() -> None:
    weighted = {**POOL, "PASSWORD": ANN, "GEMPROXY_POOL_WEIGHTS": '{"lab": 2}'}

    assert problems(weighted, starting=False) == []
    assert problems(weighted)


def test_the_shared_key_is_an_access_key_like_any_other() -> None:
    assert access_keys({"ann": ANN}, BOB) == {"ann": ANN, "password": BOB}
    assert access_keys({}, "") == {}


def test_traces_need_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    for absent in (lambda _: None, missing):
        monkeypatch.setattr(starting, "find_spec", absent)
        (problem,) = problems({"GEMPROXY_TRACING_ENABLED": "true"})
        assert problem.startswith("tracing.enabled: needs OpenTelemetry")
        assert "pip install 'gemproxy[otel]'" in problem
        assert problems({}) == []
    monkeypatch.setattr(starting, "find_spec", lambda _: object())
    assert problems({"GEMPROXY_TRACING_ENABLED": "true"}) == []


def test_a_self_ping_needs_to_know_where() -> None:
    ping = {"GEMPROXY_SELF_PING_SECONDS": "840"}

    (problem,) = problems(ping)
    assert problem.startswith("server.self_ping_seconds: the proxy does not know where")
    assert not problems({**ping, "GEMPROXY_PUBLIC_URL": "https://a.example"})
    assert not problems({**ping, "RENDER_EXTERNAL_URL": "https://a.onrender.com"})


def test_kept_streams_want_one_worker_and_are_off_with_several() -> None:
    several = {"GEMPROXY_SERVER_WORKERS": "2"}

    (problem,) = problems({**several, "GEMPROXY_RESUME_ENABLED": "true"})
    assert problem.startswith("resume.enabled: 2 workers do not share what they keep")
    assert "GEMPROXY_RESUME_ENABLED" in problem
    assert problems(several) == []
    assert problems({**several, "GEMPROXY_RESUME_ENABLED": "false"}) == []
    assert problems({"GEMPROXY_RESUME_ENABLED": "true"}) == []
