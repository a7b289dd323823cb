"""Users are added, listed, changed, rotated and revoked, in words and in JSON."""

import sqlite3
import stat
from pathlib import Path

import pytest

from gemproxy.__main__ import main
from gemproxy.access.secret import LENGTH, id_in
from tests.ledger.conftest import postgres
from tests.postgres import Postgres
from tests.users.conftest import RunUsers

__all__ = ["postgres"]

NOBODY = "no user has that name or id"


def test_a_key_is_made_before_the_first_start_and_shown_once(
    users: RunUsers, tmp_path: Path
) -> None:
    made = users("add", "ann", "--json", "--rpm", "5", "--usd-per-day", "1.50")

    assert made.code == 0
    assert list(made.document) == ["id", "name", "key"]
    assert made.document["name"] == "ann"
    key = made.document["key"]
    assert len(key) == LENGTH
    assert id_in(key) == made.document["id"]
    listed = users("list", "--json")
    assert key not in listed.out + users("list").out
    (row,) = listed.document
    assert row["id"] == made.document["id"]
    assert row["limits"] == [
        {"kind": "rpm", "model": "", "amount": 5, "shadow": False},
        {"kind": "usd_per_day", "model": "", "amount": "1.50", "shadow": False},
    ]
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for file in data.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert key[16:].encode() not in file.read_bytes()


def test_people_are_told_how_to_use_a_key(users: RunUsers) -> None:
    made = users("add", "ann smith", "--rpm", "gemini-x=5", "--models", "gemini-x", "--shadow")

    assert "5 requests per minute for gemini-x (shadow); only gemini-x" in made.out
    assert "shown only now" in made.out
    assert "x-goog-api-key" in made.out
    assert "there is no pool yet" in made.err
    assert "ann smith" in users("list").out


def test_a_name_is_never_used_again(users: RunUsers) -> None:
    users("add", "ann")
    users("revoke", "ann")

    again = users("add", "ann")

    assert again.code == 2
    assert "names are never used again" in again.err
    assert again.out == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "a name is up to 64"),
        ("a/b", "a name is up to 64"),
        (" ann", "a name is up to 64"),
        ("x" * 65, "a name is up to 64"),
        ("AIzaSyCanaryCanaryCanaryCanaryCanaryCanary", "a name is up to 64"),
        ("password", "of the settings"),
        ("open", "of the settings"),
        ("carl", "of the settings"),
    ],
)
def test_a_wrong_name_is_refused(
    users: RunUsers, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.setenv("GEMPROXY_ACCESS_KEYS", '{"carl": "carl-5f2c9a7e31d84b60"}')

    refused = users("add", name)

    assert (refused.code, refused.out) == (2, "")
    assert words in refused.err
    assert "Canary" not in refused.err


def test_wrong_values_make_nothing(users: RunUsers, tmp_path: Path) -> None:
    for arguments in (
        ["--rpm", "0"],
        ["--usd-per-day", "1.0000000001"],
        ["--models", ""],
        ["--expires", "soon"],
        ["--shadow"],
        ["--rmp", "5"],
    ):
        assert users("add", "ann", *arguments).code == 2
    assert not (tmp_path / "data").exists()


def test_limits_need_one_worker(users: RunUsers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKERS", "2")

    refused = users("add", "ann", "--rpm", "5")

    assert refused.code == 2
    assert "server.workers is 2" in refused.err
    assert users("add", "ann").code == 0
    assert users("set", "ann", "--tpm", "5").code == 2
    assert users("set", "ann", "--tpm", "off").code == 0


def test_limits_of_a_user_are_changed(users: RunUsers) -> None:
    made = users("add", "ann", "--rpm", "5", "--models", "a", "--expires", "2099-01-01", "--json")

    changed = users("set", made.document["id"], "--rpm", "off", "--tpm", "9", "--models", "off")

    assert changed.code == 0
    assert "9 tokens per minute" in changed.out
    (row,) = users("list", "--json").document
    assert [limit["kind"] for limit in row["limits"]] == ["tpm"]
    assert (row["models"], row["expires"]) == ([], "2099-01-01T00:00:00Z")
    assert users("set", "ann", "--expires", "off", "--json").document["expires"] is None
    assert users("set", "ann").code == 2


@pytest.mark.parametrize("grace", [None, "0", "2h"])
def test_a_rotation_keeps_the_id_and_perhaps_the_old_key(
    users: RunUsers, grace: str | None
) -> None:
    made = users("add", "ann", "--json").document

    given = () if grace is None else ("--grace", grace)
    rotated = users("rotate", "ann", "--json", *given).document

    assert list(rotated) == ["id", "name", "key"]
    assert rotated["id"] == made["id"]
    assert rotated["key"] != made["key"]
    (row,) = users("list", "--json").document
    assert (row["old_key_until"] is not None) == (grace == "2h")
    assert ("and the old key until" in users("list").out) == (grace == "2h")


def test_a_key_is_revoked_for_good_by_its_name_its_id_or_itself(users: RunUsers) -> None:
    for name in ("ann", "bob", "carl"):
        users("add", name)
    made = users("add", "dora", "--json").document

    assert users("revoke", "ann").out == "revoked ann\n"
    assert users("revoke", "ann").out == "ann was revoked already\n"
    assert users("revoke", made["key"], "--json").document["revoked"]
    refused = users("rotate", f"gp-{made['id']}")
    assert refused.code == 2
    assert "is revoked, for good" in refused.err
    states = {row["name"]: row["revoked"] is not None for row in users("list", "--json").document}
    assert states == {"ann": True, "bob": False, "carl": False, "dora": True}


def test_a_name_that_begins_like_a_key_names_its_user(users: RunUsers) -> None:
    users("add", "team")
    users("add", "gp-team")

    assert users("revoke", "gp-team").out == "revoked gp-team\n"
    assert users("revoke", "team").out == "revoked team\n"


def test_an_id_is_no_name_for_another_user(users: RunUsers) -> None:
    made = users("add", "ann", "--json").document

    refused = users("add", made["id"])

    assert (refused.code, refused.out) == (2, "")
    assert "is the id of a user" in refused.err
    assert users("revoke", f"gp-{made['id']}").out == "revoked ann\n"


def test_nobody_is_a_wrong_command_line(users: RunUsers, tmp_path: Path) -> None:
    for before in range(2):
        for action in (("rotate", "zed"), ("revoke", "zed"), ("set", "zed", "--rpm", "5")):
            refused = users(*action)
            assert (refused.code, refused.out) == (2, "")
            assert NOBODY in refused.err
        if not before:
            assert users("list", "--json").document == []
            assert not (tmp_path / "data").exists(), "looking makes nothing"
            users("add", "ann")


@pytest.mark.parametrize("grace", ["-1", "soon", "1e3"])
def test_a_wrong_grace_is_refused(users: RunUsers, grace: str) -> None:
    users("add", "ann")

    assert users("rotate", "ann", f"--grace={grace}").code == 2


def test_a_past_expiry_is_told(users: RunUsers) -> None:
    assert "refused from the start" in users("add", "ann", "--expires", "2020-01-01").err
    assert "expired at 2020-01-01 00:00 UTC" in users("list").out


def test_another_secret_is_refused(users: RunUsers, monkeypatch: pytest.MonkeyPatch) -> None:
    users("add", "ann")
    monkeypatch.setenv("GEMPROXY_SECRET_KEY", "another one")

    refused = users("add", "bob")

    assert refused.code == 2
    assert "were made with another secret: give all machines the same" in refused.err


def test_a_database_that_fails_is_told(users: RunUsers, tmp_path: Path) -> None:
    users("add", "ann")
    file = tmp_path / "data" / "ledger.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE users")
    connection.close()

    failed = users("add", "bob")

    assert failed.code == 1
    assert failed.err.startswith("gemproxy users: ")
    assert "the database fails: no such table: users" in failed.err


def test_stored_access_keys_guard_a_pool(
    users: RunUsers, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEMINI_API_KEYS", "AIzaSyCanaryCanaryCanaryCanaryCanaryCanary")

    def check() -> tuple[int, str]:
        return main(["check"]), capfd.readouterr().err

    assert check()[0] == 2
    assert users("add", "ann", "--rpm", "5").err == ""
    assert check() == (0, "")
    monkeypatch.setenv("WORKERS", "2")
    code, err = check()
    assert code == 2
    assert err.startswith("gemproxy: server.workers: 'ann' has limits, and each process counts")
    users("revoke", "ann")
    assert "access.keys: none is set" in check()[1], "a revoked key opens nothing"


def test_users_are_kept_in_postgresql(
    users: RunUsers, monkeypatch: pytest.MonkeyPatch, postgres: Postgres, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.empty())

    assert users("list", "--json").document == []
    made = users("add", "ann", "--rpm", "5", "--json").document
    rotated = users("rotate", made["id"], "--grace", "60", "--json").document
    assert users("add", "ann").code == 2
    assert users("revoke", rotated["key"]).code == 0

    (row,) = users("list", "--json").document
    assert (row["id"], row["limits"][0]["amount"]) == (made["id"], 5)
    assert row["revoked"] is not None
    assert not (tmp_path / "data" / "ledger.sqlite").exists()


def test_a_database_that_is_down_is_told_without_its_password(
    users: RunUsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://gem:canary@127.0.0.1:9/ledger")

    failed = users("add", "ann")

    assert failed.code == 2
    assert failed.err.count("\n") == 1
    assert "database 'ledger' at 127.0.0.1 cannot be used" in failed.err
    assert "canary" not in failed.err
