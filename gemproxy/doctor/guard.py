"""Who may call: access keys and secrets that can be guessed, and who reaches the port."""

from gemproxy.config.starting import is_loopback
from gemproxy.config.strength import ADVICE, weakness
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdicts, ok, warning


async def access(case: Case) -> Verdicts:
    """Judge the access keys; the rules of a start have refused weak ones already."""
    found = []
    why = weakness(case.settings.server.secret_key) if case.settings.server.secret_key else None
    if why:
        words = f"server.secret_key, which encrypts the keys in the data directory, {why}"
        found.append(warning(words, f"{ADVICE}; the stored keys have to be added again"))
    if found:
        return found
    if not case.pooled:
        return [ok("passthrough: no access keys are needed")]
    if case.settings.pool.open:
        return [ok("the pool is open to this machine (pool.open)")]
    number = len(case.access_keys)
    shown = f"{number} access key{'s' if number != 1 else ''} in the settings"
    return [ok(shown if number else "access keys are those of gemproxy users")]


async def bind(case: Case) -> Verdicts:
    """Judge whether others can listen to what goes in and out."""
    server = case.settings.server
    if any(problem.setting in {"server.host", "pool.open"} for problem in case.problems):
        return []
    if is_loopback(server.host):
        return [ok(f"{server.host}: only this machine reaches the proxy")]
    if server.tls_cert:
        return [ok(f"{server.host}, with TLS")]
    if server.public_url.startswith("https://") or server.trusted_proxies:
        return [ok(f"{server.host}, with TLS in front of it")]
    return [
        warning(
            f"{server.host} lets other machines in without TLS, so keys and prompts pass the"
            " network unencrypted",
            "set server.tls_cert and server.tls_key; or put a reverse proxy with TLS in front, and"
            " set server.public_url to its https:// URL",
        )
    ]
