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
