"""What the vault encrypts stays readable after a restart, and its file is only ours."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gemproxy.store.unusable import Unusable
from gemproxy.store.vault import KEY_FILE, Sealed, Vault


@pytest.mark.parametrize("secret", ["", "x", "ein Satz mit Ümlauten 🪸", "k" * 5_000])
def test_a_text_is_the_same_after_a_restart(tmp_path: Path, secret: str) -> None:
    token = Vault.open(tmp_path, secret).seal("AIza-secret \ud800")

    assert b"AIza" not in token
    assert Vault.open(tmp_path, secret).unseal(token) == "AIza-secret \ud800"


def test_the_key_file_is_ours_alone(tmp_path: Path) -> None:
    Vault.open(tmp_path)

    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]


def test_a_secret_of_the_settings_needs_no_file(tmp_path: Path) -> None:
    Vault.open(tmp_path, "a text")

    assert list(tmp_path.iterdir()) == []


def test_those_that_start_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        vaults = list(threads.map(lambda _: Vault.open(tmp_path), range(16)))

    assert len({vault.subkey("x") for vault in vaults}) == 1


def test_a_file_system_without_links_gets_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    first = Vault.open(tmp_path)

    assert Vault.open(tmp_path).subkey("x") == first.subkey("x")
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    Vault.open(tmp_path)
    (tmp_path / KEY_FILE).chmod(mode)

    with pytest.raises(Unusable, match=r"secret\.key' is open to other users.*chmod"):
        Vault.open(tmp_path)


@pytest.mark.parametrize("content", ["", "not a key", "QUJD"])
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: str) -> None:
    Vault.open(tmp_path)
    (tmp_path / KEY_FILE).write_text(content)

    with pytest.raises(Unusable, match=r"secret\.key' is damaged"):
        Vault.open(tmp_path)


def test_a_file_that_must_not_be_made_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"secret\.key', which opens them, is missing"):
        Vault.open(tmp_path, make=False)


def test_a_token_of_another_vault_is_no_text(tmp_path: Path) -> None:
    token = Vault.open(tmp_path, "one").seal("x")

    with pytest.raises(Sealed):
        Vault.open(tmp_path, "two").unseal(token)


def test_each_purpose_has_its_key(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path)

    assert len({vault.subkey("uploads"), vault.subkey("names"), vault.subkey("seal")}) == 3
    assert len(vault.subkey("uploads")) == 32


def test_a_vault_shows_no_secret(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path)

    assert (tmp_path / KEY_FILE).read_text().strip() not in repr(vault)
    assert "_master" not in repr(vault)
