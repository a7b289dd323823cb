"""The actions of the command: what they say, what they change, and their exit codes."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gemproxy.__main__ import main
from gemproxy.pool.key import fingerprint
from gemproxy.pool.state import Change, Rest, Sickness, Why
from gemproxy.store import learnt
from gemproxy.store.database import FILE
from gemproxy.store.store import Store
from tests.keys.conftest import RunKeys
from tests.web.test_server import ROOT

ONE, TWO = "AIza-canary-one", "AIza-canary-two"
F1, F2 = fingerprint(ONE), fingerprint(TWO)


def put(folder: Path, *changes: Change) -> None:
    store = Store.open(folder)
    store.database.write(lambda it: learnt.put(it, changes)).result()
    store.database.close()


def test_a_key_is_added_once(keys: RunKeys, tmp_path: Path) -> None:
    first = keys("add", "--project", "lab", given=f"{ONE}\n")
    again = keys("add", given=ONE)

    assert (first.code, first.out) == (0, f"{F1} added to project lab\n")
    assert (again.code, again.out) == (0, f"{F1} is there already, nothing changed\n")
    assert json.loads(keys("list", "--json").out)[0]["project"] == "lab"
    assert (tmp_path / "data" / FILE).stat().st_mode & 0o777 == 0o600


def test_several_keys_are_added_and_told_for_programs(keys: RunKeys) -> None:
    done = keys("add", "--json", given=f"{ONE}\n{TWO}\n{ONE}\n")

    assert [json.loads(line) for line in done.out.splitlines()] == [
        {"fingerprint": F1, "project": F1, "result": "added"},
        {"fingerprint": F2, "project": F2, "result": "added"},
        {"fingerprint": F1, "project": F1, "result": "known"},
    ]


@pytest.mark.parametrize("action", [("add",), ("import", "-")])
def test_an_access_key_is_no_key_of_the_pool(
    keys: RunKeys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, action: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PASSWORD", "Zk3v9Qw2Lr8Tn5xB7")

    done = keys(*action, given=f"{ONE}\nZk3v9Qw2Lr8Tn5xB7\n")

    assert done.code == 2
    assert "access key" in done.err
    assert "Zk3v9Qw2Lr8Tn5xB7" not in done.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("action", [("add",), ("import", "-")])
def test_the_operators_secret_is_no_key_of_the_pool(
    keys: RunKeys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, action: tuple[str, ...]
) -> None:
    monkeypatch.setenv("GEMPROXY_ADMIN_SECRET", "Zk3v9Qw2Lr8Tn5xB7")

    done = keys(*action, given=f"{ONE}\nZk3v9Qw2Lr8Tn5xB7\n")

    assert done.code == 2
    assert "admin.secret" in done.err
    assert "Zk3v9Qw2Lr8Tn5xB7" not in done.out + done.err
    assert not (tmp_path / "data").exists()


def test_no_key_is_no_success(keys: RunKeys, tmp_path: Path) -> None:
    done = keys("add")

    assert done.code == 2
    assert done.err == "gemproxy keys: no key came on standard input\n"
    assert not (tmp_path / "data").exists()


def test_an_empty_list_makes_nothing(keys: RunKeys, tmp_path: Path) -> None:
    assert keys("list").out.startswith("there are no keys")
    assert json.loads(keys("list", "--json").out) == []
    assert not (tmp_path / "data").exists()


def test_the_list_has_all_keys_and_how_they_stand(
    keys: RunKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys("add", "--project", "lab", "--proxy", "http://u:canary-pw@h:3128", given=ONE)
    monkeypatch.setenv("GEMINI_API_KEY", TWO)
    now = time.time()
    rest = Rest("lab", "gemini-3.5-flash", 4_000_000_000.0, Why.DAY, now)
    over = Rest("lab", "gemini-x", now - 1, Why.MINUTE, now - 9)
    absent = Rest(F2, "gemini-pro", float("inf"), Why.ABSENT, now)
    put(tmp_path / "data", rest, over, absent, Sickness(F2, Why.LEAKED, now, 4_000_000_060.0, 1))

    shown = keys("list", "--json")

    assert json.loads(shown.out) == [
        {
            "fingerprint": F2,
            "project": F2,
            "origin": "environment GEMINI_API_KEY",
            "state": "sick",
            "enabled": True,
            "why": "leaked",
            "check_at": "2096-10-02T07:07:40Z",
            "rests": [{"model": "gemini-pro", "until": None, "why": "absent"}],
            "location_refused_at": None,
            "last_used_at": None,
            "last_result": None,
            "proxy": None,
        },
        {
            "fingerprint": F1,
            "project": "lab",
            "origin": "store",
            "state": "well",
            "enabled": True,
            "why": None,
            "check_at": None,
            "rests": [{"model": "gemini-3.5-flash", "until": "2096-10-02T07:06:40Z", "why": "day"}],
            "location_refused_at": None,
            "last_used_at": None,
            "last_result": None,
            "proxy": "http://u@h:3128",
        },
    ]
    text = keys("list").out
    assert "sick (leaked), checked at 2096-10-02T07:07:40Z" in text
    assert "gemini-3.5-flash until 2096-10-02T07:06:40Z (day)" in text
    assert "gemini-pro for good (absent)" in text
    assert "canary" not in shown.out + text


def test_clearing_ends_rests_and_sickness_once(keys: RunKeys, tmp_path: Path) -> None:
    keys("add", "--project", "lab", given=f"{ONE}\n{TWO}")
    now = time.time()
    put(
        tmp_path / "data",
        Rest("lab", "m", now + 999, Why.DAY, now),
        Rest("home", "m", now + 999, Why.DAY, now),
        Sickness(F1, Why.INVALID, now, now + 99, 1),
        Sickness(F2, Why.INVALID, now, now + 99, 1),
    )

    assert keys("clear", F1).out == "2 changed\n"
    assert keys("clear", F1).out == "0 changed\n"
    assert keys("clear", "lab").out == "1 changed\n"
    assert keys("clear", "lab", "--server.data_dir", "data").code == 0
    assert {row["state"] for row in json.loads(keys("list", "--json").out)} == {"well"}


def test_a_key_of_the_settings_is_cleared_too(
    keys: RunKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMPROXY_POOL_PROJECTS", json.dumps({"shelf": [ONE]}))
    now = time.time()
    put(tmp_path / "data", Rest("shelf", "m", now + 9, Why.DAY, now))

    assert keys("clear", F1).out == "1 changed\n"


def test_removing_a_key_and_a_project(keys: RunKeys) -> None:
    keys("add", "--project", "lab", given=f"{ONE}\n{TWO}")

    assert keys("remove", F1).out == "1 removed\n"
    assert keys("remove", "lab").out == "1 removed\n"
    assert keys("list").out.startswith("there are no keys")


def test_a_key_of_the_settings_is_not_removed(
    keys: RunKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", ONE)

    done = keys("remove", F1)

    assert (done.code, done.out) == (1, "0 removed\n")
    assert f"{F1} is in the settings (environment GEMINI_API_KEY)" in done.err


def test_a_key_and_a_project_are_disabled_and_enabled(
    keys: RunKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", ONE)
    keys("add", "--project", "lab", given=TWO)

    def states() -> dict[str, str]:
        rows = json.loads(keys("list", "--json").out)
        return {row["fingerprint"]: row["state"] for row in rows}

    assert keys("disable", F1).out == "1 disabled\n"
    assert keys("disable", F1).out == "0 disabled\n"
    assert keys("disable", "lab").out == "1 disabled\n"
    assert states() == {F1: "disabled", F2: "disabled"}
    assert keys("enable", F1).out == "1 enabled\n"
    assert states() == {F1: "well", F2: "disabled"}


def test_removing_forgets_that_a_key_was_disabled_unless_the_settings_have_it(
    keys: RunKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys("add", given=f"{ONE}\n{TWO}")
    for name in (F1, F2):
        keys("disable", name)
    monkeypatch.setenv("GEMINI_API_KEY", ONE)

    for name in (F1, F2):
        keys("remove", name)
    keys("add", given=TWO)

    rows = json.loads(keys("list", "--json").out)
    assert {row["fingerprint"]: row["enabled"] for row in rows} == {F1: False, F2: True}


@pytest.mark.parametrize("action", ["remove", "clear", "check", "disable"])
def test_an_id_that_nobody_has_is_not_repeated(keys: RunKeys, action: str) -> None:
    keys("add", given=ONE)

    done = keys(action, "AIza-canary-x")

    assert done.code == 2
    assert "no key and no project has that name" in done.err
    assert "canary" not in done.err


def test_an_import_says_what_became_of_each(keys: RunKeys, tmp_path: Path) -> None:
    keys("add", given=ONE)
    (tmp_path / "keys.txt").write_text(f"lab {ONE}\nlab {TWO}\nlab {TWO}\n")

    done = keys("import", "keys.txt")

    assert done.code == 0
    assert done.out.splitlines() == [
        "added 1",
        f"known already: 1 ({F1})",
        f"twice in the file: 1 ({F2})",
    ]
    assert json.loads(keys("import", "-", "--json", given=TWO).out) == {
        "added": [],
        "known": [F2],
        "twice": [],
        "twins": [],
    }


def test_an_import_with_a_problem_changes_nothing(keys: RunKeys, tmp_path: Path) -> None:
    done = keys("import", "-", given=f"{ONE}\na b canary\n")

    assert done.code == 2
    assert "nothing was imported: line 2" in done.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("name", "content"), [("none", None), ("binary", b"\xff\xfe\x00")])
def test_a_file_that_cannot_be_read(
    keys: RunKeys, tmp_path: Path, name: str, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    assert keys("import", name).code == 2


def test_thousands_of_keys_are_imported_and_exported(keys: RunKeys, tmp_path: Path) -> None:
    lines = [f"project{n % 100} AIza-canary-{n:05}" for n in range(5_000)]
    done = keys("import", "-", given="\n".join(lines))
    assert done.out == "added 5000\n"

    (tmp_path / "copy.json").write_text(keys("export", "--yes").out)
    again = keys("import", "copy.json", "--server.data_dir", "other")

    assert again.out == "added 5000\n"
    assert len(json.loads(keys("list", "--json", "--server.data_dir", "other").out)) == 5_000
    for folder in ("data", "other"):
        for file in (tmp_path / folder).iterdir():
            assert b"canary" not in file.read_bytes()


def test_an_export_needs_a_yes(keys: RunKeys) -> None:
    keys("add", "--project", "lab", "--proxy", "http://u:p@h:1", given=ONE)

    assert (keys("export").code, keys("export").out) == (2, "")
    assert json.loads(keys("export", "--yes").out) == [
        {"key": ONE, "project": "lab", "proxy": "http://u:p@h:1"}
    ]


def test_only_an_export_prints_a_key(keys: RunKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEYS", TWO)
    said = [
        keys("add", given=ONE),
        keys("add", given=ONE),
        keys("add", "--json", given=TWO),
        keys("import", "-", given=f"{ONE}\n{ONE}\n{TWO}"),
        keys("list"),
        keys("list", "--json"),
        keys("clear", F1),
        keys("export"),
        keys("remove", F2),
        keys("add", ONE),
        keys(ONE),
    ]

    assert not any("canary" in one.out + one.err for one in said)


def test_a_store_that_cannot_be_used_is_told_in_words(keys: RunKeys, tmp_path: Path) -> None:
    keys("add", given=ONE)
    (tmp_path / "data" / "secret.key").unlink()

    done = keys("list")

    assert done.code == 2
    assert "server.data_dir: the stored keys are encrypted, and" in done.err


def test_a_lock_of_another_program_is_told_in_words(
    keys: RunKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemproxy.store.database.BUSY_SECONDS", 0.01)
    keys("add", given=ONE)
    other = sqlite3.connect(tmp_path / "data" / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    done = keys("add", given=TWO)
    other.close()

    assert done.code == 1
    assert done.err == "gemproxy keys: the data directory fails: database is locked\n"


def test_a_key_that_is_typed_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("getpass.getpass", {"key: ": ONE}.__getitem__)
    primary, secondary = os.openpty()
    with os.fdopen(secondary) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        assert main(["keys", "add"]) == 0
    os.close(primary)

    assert capsys.readouterr().out == f"{F1} added to project {F1}\n"


def test_the_command_works_as_a_process_of_its_own(tmp_path: Path) -> None:
    def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "run.py"), "keys", *arguments],
            cwd=tmp_path,
            env={**os.environ, "GEMPROXY_DATA_DIR": "here", "GEMPROXY_SECRET_KEY": "a text"},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    added = run("add", "--project", "lab", "--json", given=f"{ONE}\n")
    listed = run("list", "--json")

    assert json.loads(added.stdout) == {"fingerprint": F1, "project": "lab", "result": "added"}
    assert [row["fingerprint"] for row in json.loads(listed.stdout)] == [F1]
    assert added.returncode == listed.returncode == 0
    assert added.stderr == listed.stderr == ""
    assert [file.name for file in (tmp_path / "here").iterdir()] == [FILE]
    assert run("remove", ONE).returncode == 2


def test_the_help_is_the_commands_own(keys: RunKeys) -> None:
    done = keys("--help")

    assert done.code == 0
    assert "export" in done.out
