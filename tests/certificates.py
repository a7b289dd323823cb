"""Certificates for tests: an authority of our own, and a server's certificate by it."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

_HOSTS = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]


@attrs.frozen
class Files:
    """Where the files are; ``authority`` is what a client has to trust."""

    authority: str
    cert: str
    key: str

    def trusting(self) -> ssl.SSLContext:
        """Return the TLS of a client that trusts the authority and nobody else."""
        return ssl.create_default_context(cafile=self.authority)


def make(
    folder: Path, *, hosts: Sequence[x509.GeneralName] = _HOSTS, expired: bool = False
) -> Files:
    """Make an authority and a certificate for 127.0.0.1, or other ``hosts``, in ``folder``."""
    authority_key, server_key = new_key(), new_key()
    names = [_name("gemproxy's tests"), _name("127.0.0.1")]
    authority = _builder(names[0], names[0], authority_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = authority.add_extension(identifier, critical=False)
    server = _builder(names[1], names[0], server_key, age=dt.timedelta(days=9 if expired else 0))
    server = server.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    issued = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    server = server.add_extension(issued, critical=False)
    return Files(
        authority=_written(folder / "authority.pem", _signed(authority, authority_key)),
        cert=_written(folder / "server.pem", _signed(server, authority_key)),
        key=_written(folder / "server.key", key_pem(server_key)),
    )


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    """Return a private key as a PEM file holds it, encrypted when there is a passphrase."""
    hiding: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        hiding = BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hiding)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    age: dt.timedelta = dt.timedelta(),
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC) - age
    day = dt.timedelta(days=1)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - day).not_valid_after(now + day)


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _written(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    return str(file)
