"""The files of TLS: which are taken, and which one is named when they are not."""

import ssl
from pathlib import Path

import pytest

from gemproxy.config.tls import TlsError, server_context
from tests.certificates import key_pem, make, new_key


def wrong(cert: str, key: str) -> tuple[str, str]:
    """Return the setting that is named, and what is said of it."""
    with pytest.raises(TlsError) as caught:
        server_context(cert, key)
    return caught.value.setting, str(caught.value)


def written(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    return str(file)


def test_a_certificate_and_its_key_make_a_server(tmp_path: Path) -> None:
    files = make(tmp_path)

    context = server_context(files.cert, files.key)

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.protocol is ssl.PROTOCOL_TLS_SERVER


def test_one_file_may_hold_both(tmp_path: Path) -> None:
    files = make(tmp_path)
    both = Path(files.cert).read_bytes() + Path(files.key).read_bytes()
    file = written(tmp_path / "both.pem", both)

    assert server_context(file, file).get_ca_certs() == []  # clients are not asked for theirs


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    files = make(tmp_path)
    missing = str(tmp_path / "missing")

    assert wrong(missing, files.key) == ("tls_cert", "cannot be read: No such file or directory")
    assert wrong(files.cert, missing) == ("tls_key", "cannot be read: No such file or directory")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    files = make(tmp_path)

    assert wrong(files.cert, str(tmp_path)) == ("tls_key", "cannot be read: Is a directory")


@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_file_with_something_else_is_named(tmp_path: Path, content: bytes) -> None:
    files = make(tmp_path)
    junk = written(tmp_path / "junk.pem", content)

    assert wrong(junk, files.key) == ("tls_cert", "is no certificate in PEM form")
    assert wrong(files.cert, junk) == ("tls_key", "is no private key in PEM form")
    assert wrong(files.cert, files.cert) == ("tls_key", "is no private key in PEM form")


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    files = make(tmp_path)
    other = written(tmp_path / "other.key", key_pem(new_key()))

    assert wrong(files.cert, other) == ("tls_key", "does not belong to the certificate")


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    files = make(tmp_path)
    locked = written(tmp_path / "locked.key", key_pem(new_key(), b"hunter2"))

    setting, said = wrong(files.cert, locked)

    assert (setting, "passphrase" in said) == ("tls_key", True)
