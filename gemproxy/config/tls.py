"""TLS for the proxy's own socket: a certificate chain and its private key, from two PEM files.

The files are read together with the settings, so ``gemproxy check`` reports their problems, and
again by each serving process. A renewed certificate is used after the next start. No message
contains the content of the key file. OpenSSL's own messages, which name no file, are replaced by
ours.
"""

import ssl
from pathlib import Path

_NO_MATCH = "KEY_VALUES_MISMATCH"


class TlsError(ValueError):
    """A file cannot be used; ``setting`` names the setting to correct, without its section.

    The message continues after the value: "cannot be read: No such file or directory".
    """

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(message)
        self.setting = setting


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """Return the TLS of a server with the chain in the file ``cert`` and the key in ``key``.

    The oldest accepted version is TLS 1.2. Raises TlsError for a file that is missing, cannot be
    read or has other content, and for a key that belongs to another certificate.
    """
    _readable("tls_cert", cert)
    _readable("tls_key", key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _check_certificate(cert)
    try:
        context.load_cert_chain(cert, key, _no_passphrase)
    except ssl.SSLError as error:
        if error.reason == _NO_MATCH:
            raise TlsError("tls_key", "does not belong to the certificate") from None
        raise TlsError("tls_key", "is no private key in PEM form") from None
    return context


def _readable(setting: str, file: str) -> None:
    try:
        Path(file).read_bytes()
    except OSError as error:
        raise TlsError(setting, f"cannot be read: {error.strerror or error}") from None


def _check_certificate(cert: str) -> None:
    """Raise TlsError unless the file holds certificates; OpenSSL's errors name no file."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cert)
    except ssl.SSLError:
        raise TlsError("tls_cert", "is no certificate in PEM form") from None


def _no_passphrase() -> str:
    """Refuse an encrypted key, because OpenSSL would ask for its passphrase on the terminal."""
    raise TlsError("tls_key", "needs a passphrase, which nobody could be asked for")
