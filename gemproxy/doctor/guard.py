"""Who may call: access keys and secrets that can be guessed, and who reaches the port."""

from collections.abc import Iterator

from gemproxy.config.reach import is_loopback
from gemproxy.config.strength import ADVICE, weakness
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdict, Verdicts, ok, warning


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
    """Judge whether others can listen to what goes in and out, on each port."""
    wrong = {problem.setting for problem in case.problems}
    found: list[Verdict] = []
    if not wrong & {"server.host", "pool.open"}:
        found += _of_clients(case)
    if "admin.host" not in wrong:
        found += _of_operators(case)
    return found


def _of_operators(case: Case) -> Iterator[Verdict]:
    """Yield what is wrong with the addresses of the admin API and of the metrics."""
    admin, metrics, tls = case.settings.admin, case.settings.metrics, case.settings.server.tls_cert
    if admin.port and not is_loopback(admin.host) and not tls:
        yield warning(
            f"admin.host {admin.host} lets other machines in without TLS, so the operator's secret"
            " passes the network unencrypted",
            "set admin.host to 127.0.0.1, or server.tls_cert and server.tls_key",
        )
    if metrics.enabled and metrics.port and not is_loopback(metrics.host):
        yield warning(
            f"metrics.host {metrics.host} shows the figures to every machine that reaches port"
            f" {metrics.port}: no secret guards it",
            "have a firewall let the scraper in alone, or set metrics.port to 0 and send"
            " admin.secret with the scrape",
        )


def _of_clients(case: Case) -> Verdicts:
    server = case.settings.server
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
