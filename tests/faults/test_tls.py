"""The upstream's certificate is wrong: it is not spoken to, in the clear least of all.

A process of its own, because the authorities that it trusts are read when it starts: the
system's, or those in the file that SSL_CERT_FILE names.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import attrs
import pytest
from cryptography import x509

from tests import certificates
from tests.certificates import Files
from tests.faults.processes import ProxyProcess, serving, told_by_proc
from tests.faults.upstreams import OTHER, UNARY, is_googles_error, request
from tests.gemini import chunk, sse
from tests.sockets import Reader, Writer, scripted
from tests.wire import STREAM

pytestmark = [pytest.mark.production_loop, told_by_proc]

ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + sse(chunk("Well.", finish="STOP"))
ATTEMPTS = {STREAM: 3, UNARY: 3, OTHER: 1}


@attrs.define(eq=False)
class Guarded:
    """An upstream behind TLS: the handshakes that were begun, and the requests that it read."""

    handshakes: int = 0
    requests: list[bytes] = attrs.field(factory=list)

    def context(self, served: Files) -> ssl.SSLContext:
        """Return TLS with a certificate; it counts the ClientHellos."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(served.cert, served.key)
        context.sni_callback = self._hello
        return context

    def _hello(self, _socket: object, _name: str | None, _context: object) -> None:
        self.handshakes += 1

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Answer one connection."""
        with contextlib.suppress(ssl.SSLError):
            self.requests.append(await request(reader))
            writer.write(ANSWER)
            await writer.drain()


@contextlib.asynccontextmanager
async def behind(
    folder: Path, trusted: Files, served: Files
) -> AsyncIterator[tuple[ProxyProcess, Guarded]]:
    """Run an upstream with the certificate ``served``, and a proxy that trusts ``trusted``."""
    guarded = Guarded()
    trust = {"SSL_CERT_FILE": trusted.authority}
    async with (
        scripted(guarded, guarded.context(served)) as upstream,
        serving(folder, str(upstream), environment=trust) as proxy,
    ):
        yield proxy, guarded
        await proxy.until_at_rest()


def made(folder: Path, **how: object) -> Files:
    """Make certificates in a folder of their own."""
    folder.mkdir()
    return certificates.make(folder, **how)  # type: ignore[arg-type]


async def test_an_upstream_with_a_certificate_of_a_trusted_authority_is_spoken_to(
    tmp_path: Path,
) -> None:
    good = made(tmp_path / "good")
    async with behind(tmp_path, good, good) as (proxy, upstream):
        answer = await proxy.ask()

        assert (answer.text, len(upstream.requests)) == ("Well.", 1)


WRONG: dict[str, Callable[[Path], tuple[Files, Files]]] = {}


def wrong(make: Callable[[Path], tuple[Files, Files]]) -> Callable[[Path], tuple[Files, Files]]:
    """Add what makes an authority that is trusted, and a certificate that is wrong."""
    WRONG[make.__name__] = make
    return make


@wrong
def expired(folder: Path) -> tuple[Files, Files]:
    served = made(folder / "served", expired=True)
    return served, served


@wrong
def of_another_name(folder: Path) -> tuple[Files, Files]:
    served = made(folder / "served", hosts=[x509.DNSName("gemini.invalid")])
    return served, served


@wrong
def of_an_unknown_authority(folder: Path) -> tuple[Files, Files]:
    return made(folder / "trusted"), made(folder / "served")


@pytest.mark.parametrize("target", ATTEMPTS)
@pytest.mark.parametrize("certificate", WRONG)
async def test_a_certificate_that_is_wrong_ends_the_attempt_before_a_request(
    tmp_path: Path, certificate: str, target: str
) -> None:
    async with behind(tmp_path, *WRONG[certificate](tmp_path)) as (proxy, upstream):
        is_googles_error(await proxy.ask(target), 503, "UNAVAILABLE")

        assert upstream.handshakes == ATTEMPTS[target]
        assert upstream.requests == []


async def test_a_port_that_does_not_speak_tls_gets_no_request_in_the_clear(tmp_path: Path) -> None:
    came: list[bytes] = []

    async def plain(reader: Reader, writer: Writer) -> None:
        came.append(await reader.read(5))
        writer.write(ANSWER)
        await writer.drain()

    async with (
        scripted(plain) as upstream,
        serving(tmp_path, str(upstream.with_scheme("https"))) as proxy,
    ):
        is_googles_error(await proxy.ask(), 503, "UNAVAILABLE")
        await proxy.until_at_rest()

    assert len(came) == 3
    assert {hello[:1] for hello in came} == {b"\x16"}
