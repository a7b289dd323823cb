"""The vault: encrypts what is secret at rest, and derives keys for other uses.

Everything comes from one master secret, which is either the text of the setting ``secret_key`` or
the key in the file ``secret.key`` of the data directory. A text may be one that a person thought
of, so scrypt stretches it (N = 2^14, r = 8: the figures of RFC 7914 for interactive use). HKDF
derives a key for each purpose from the master, and Fernet encrypts with one of them.

The file is made when it is first needed. Two processes that start at once agree on it: each writes
a file of its own and links it to the name, which succeeds for one of them only.
"""

import base64
import contextlib
import functools
import hashlib
import os
import secrets
from pathlib import Path

import attrs
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gemproxy.store.unusable import DATA_DIR, SECRET_KEY, Unusable

KEY_FILE = "secret.key"

_SALT = b"gemproxy vault"
_MASTER_BYTES = 32
_PRIVATE = 0o600
_OTHERS = 0o077


class Sealed(Exception):
    """A token was not encrypted by this vault, or it is damaged."""


@attrs.frozen(eq=False)
class Vault:
    """Encrypts texts; ``setting`` is the setting that its secret came from."""

    _master: bytes = attrs.field(repr=False)
    setting: str = SECRET_KEY
    _fernet: Fernet = attrs.field(init=False, repr=False)

    @_fernet.default
    def _make_fernet(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self.subkey("seal")))

    @classmethod
    def open(cls, folder: Path, secret_key: str = "", *, make: bool = True) -> "Vault":
        """Return the vault of a data directory.

        An empty ``secret_key`` means the key file, which is made if it is missing and ``make`` is
        true. Raises Unusable.
        """
        if secret_key:
            return cls(_stretched(secret_key))
        return cls(_read(folder / KEY_FILE, make=make), DATA_DIR)

    def seal(self, text: str) -> bytes:
        """Return ``text`` encrypted."""
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass"))

    def unseal(self, token: bytes) -> str:
        """Return the text of a token; raise Sealed."""
        try:
            return self._fernet.decrypt(token).decode("utf-8", "surrogatepass")
        except (InvalidToken, TypeError):
            raise Sealed from None

    def subkey(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for one purpose, the same after a restart."""
        info = f"gemproxy {purpose}".encode()
        return HKDF(SHA256(), length=32, salt=None, info=info).derive(self._master)


@functools.lru_cache(maxsize=1)  # a start opens the vault twice
def _stretched(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(raw, salt=_SALT, n=1 << 14, r=8, p=1, maxmem=1 << 25, dklen=_MASTER_BYTES)


def _read(file: Path, *, make: bool) -> bytes:
    """Return the master key in a key file; raise Unusable."""
    try:
        if make and not file.exists():
            _make(file)
        mode = file.stat().st_mode
        content = file.read_bytes()
    except FileNotFoundError:
        raise Unusable(
            DATA_DIR,
            f"the stored keys are encrypted, and '{file}', which opens them, is missing: put it "
            f"back, or set {SECRET_KEY} if they were encrypted with one",
        ) from None
    except OSError as error:
        raise Unusable(DATA_DIR, f"'{file}' cannot be used: {error.strerror}") from None
    if os.name == "posix" and mode & _OTHERS:
        raise Unusable(DATA_DIR, f"'{file}' is open to other users: run chmod 600 on it")
    try:
        master = base64.b64decode(content.strip(), altchars=b"-_", validate=True)
    except ValueError:
        master = b""
    if len(master) != _MASTER_BYTES:
        raise Unusable(DATA_DIR, f"'{file}' is damaged: it is not a key of {_MASTER_BYTES} bytes")
    return master


def _make(file: Path) -> None:
    """Make a key file unless another process makes it first; raise OSError."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(_MASTER_BYTES)) + b"\n"
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    _write(draft, key)
    try:
        os.link(draft, file)
    except FileExistsError:
        pass  # the other process's file is the one
    except OSError:  # a file system without hard links
        with contextlib.suppress(FileExistsError):
            _write(file, key)
    finally:
        draft.unlink()
    _sync(file.parent)


def _sync(folder: Path) -> None:
    """Have a power failure not lose the name of a file, where the system can do so."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
