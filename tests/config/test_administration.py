"""Which secrets of the operator a start refuses, and which port of the admin API."""

from pathlib import Path

import pytest

from gemproxy.config.administration import why_not
from gemproxy.config.settings import Settings, SettingsError

GOOD = "w7Kq2mXv9TzRw4Lp8sDfGh3J"


@pytest.mark.parametrize(
    "secret",
    ["123", "admin-secret", "changeme", "password", "AIzaSyAbcdefghijklmnop", "gp-7Kq2mXv9TzRw4"],
)
def test_a_secret_that_is_weak_or_of_another_form_is_refused(secret: str) -> None:
    assert why_not(secret, (), ())


def test_a_secret_is_no_other_key() -> None:
    assert why_not(GOOD, (), ()) is None
    assert why_not(GOOD, (GOOD,), ())
    assert why_not(GOOD, (), (GOOD,))


def test_the_secret_comes_from_a_variable_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{GOOD}\n")
    for environ in ({"GEMPROXY_ADMIN_SECRET": GOOD}, {"GEMPROXY_ADMIN_SECRET_FILE": str(file)}):
        loaded = Settings.load([], environ=environ, cwd=tmp_path)

        assert loaded.settings.admin.secret == GOOD
        assert GOOD not in str(list(loaded.rows()))


def test_two_servers_do_not_share_a_port(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"admin\.port"):
        Settings.load(["--admin.port", "8000"], environ={}, cwd=tmp_path)


@pytest.mark.parametrize("port", ["8000", "9001"])
def test_the_metrics_do_not_share_a_port_either(tmp_path: Path, port: str) -> None:
    flags = ["--admin.port", "9001", "--metrics.port", port]

    with pytest.raises(SettingsError, match=rf"metrics\.port: {port} is the port of another"):
        Settings.load(flags, environ={}, cwd=tmp_path)
    Settings.load([*flags, "--metrics.enabled", "false"], environ={}, cwd=tmp_path)


def test_other_machines_reach_no_admin_api_without_a_secret(tmp_path: Path) -> None:
    flags = ["--admin.port", "9001", "--admin.host", "0.0.0.0"]

    with pytest.raises(SettingsError, match=r"admin\.host: '0\.0\.0\.0' lets other machines in"):
        Settings.load(flags, environ={}, cwd=tmp_path)
    Settings.load(flags, environ={"GEMPROXY_ADMIN_SECRET": GOOD}, cwd=tmp_path)
    Settings.load(flags[2:], environ={}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("123", "has fewer than 16 characters"),
        ("admin-secret-1234", "is well known"),
        (GOOD, "is an access key too"),
    ],
)
def test_a_start_with_such_a_secret_is_refused_and_does_not_show_it(
    tmp_path: Path, secret: str, why: str
) -> None:
    environ = {"GEMPROXY_ADMIN_SECRET": secret, "PASSWORD": GOOD, "GEMINI_API_KEY": "AIzaOne"}

    with pytest.raises(SettingsError, match=rf"admin\.secret: it {why}") as caught:
        Settings.load([], environ=environ, cwd=tmp_path)

    assert "GEMPROXY_ADMIN_SECRET" in str(caught.value)
    assert secret not in str(caught.value)
