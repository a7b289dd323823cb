"""The rules of a start about the operator's secret, and about the ports for operators.

Whoever has the secret changes keys and limits, so it is no weaker than an access key, and it is
none: a client's key would else open the admin API. Text that begins like a made access key is
refused too, because the keys in the database are known by their hashes only.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gemproxy.config.keyring import ACCESS_PREFIX
from gemproxy.config.reach import is_loopback
from gemproxy.config.sources import problem
from gemproxy.config.strength import ADVICE, LEAST, weakness
from gemproxy.exchange.credential import is_api_key

SECRET = "admin.secret"  # noqa: S105 (the path of a setting)
PORT, HOST = "admin.port", "admin.host"
_METRICS = "metrics.port"


def admin_problems(
    values: Mapping[str, Any],
    origins: Mapping[str, str],
    access: Collection[str],
    pool: Collection[str],
) -> Iterator[str]:
    """Yield the problems; ``access`` and ``pool`` are the keys of the settings."""
    secret = values.get(SECRET, "")
    why = secret and why_not(secret, access, pool)
    if why:
        yield problem(SECRET, f"it {why}; {ADVICE}", origins[SECRET])
    port = values.get(PORT, 0)
    if port and port == values.get("server.port"):
        why = f"{port} is the port of the proxy too; 0 has the admin API there, under /admin"
        yield problem(PORT, why, origins[PORT])
    if port and not secret and not is_loopback(values.get(HOST, "localhost")):
        why = (
            f"{values[HOST]!r} lets other machines in, and nothing guards the admin API: set "
            f"{SECRET}, or listen on 127.0.0.1"
        )
        yield problem(HOST, why, origins[HOST])
    figures = values.get("metrics.enabled", True) and values.get(_METRICS, 0)
    if figures and figures in {port, values.get("server.port")}:
        why = f"{figures} is the port of another server of this proxy; take another one"
        yield problem(_METRICS, why, origins[_METRICS])


def why_not(secret: str, access: Collection[str], pool: Collection[str]) -> str | None:
    """Return why a text is no secret of the operator's, as the end of a sentence about it."""
    if secret in access:
        return "is an access key too; clients must not have the operator's secret"
    if secret in pool:
        return "is a key of the pool too, which goes to Google"
    if is_api_key(secret):
        return "looks like a Gemini key"
    if secret.startswith(ACCESS_PREFIX):
        return f"begins with {ACCESS_PREFIX}, as access keys do"
    weak = weakness(secret)
    return None if weak is None else f"{weak}; it is {LEAST} random characters or more"
