"""Asks the proxy of this machine whether it lives, by the settings that it was started with.

For containers and monitors, which have no curl: the port, TLS and an address come from the same
settings. The certificate is not checked, because it is for another name than this machine's.
"""

import http.client
import ssl

import attrs

PATH = "/healthz"
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (nothing binds)
_GOOD = 200


@attrs.frozen
class Address:
    """Where the proxy listens."""

    host: str
    port: int
    tls: bool = False


def ask(address: Address, seconds: float = 5.0) -> str:
    """Return what is wrong, or the empty text for a proxy that answers."""
    host = _ANY.get(address.host, address.host)
    if address.tls:
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 (see above)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, address.port, timeout=seconds, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, address.port, timeout=seconds)
    try:
        connection.request("GET", PATH)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"nothing answers at {host}, port {address.port}: {error}"
    finally:
        connection.close()
    return "" if status == _GOOD else f"{PATH} answers {status}"
