"""The contenders: the start of each proxy, and the way of a request through it to Gemini.

Each runs as its users run it, with its log at the usual level in a file. Limits that a scenario
would reach (connections, descriptors) are raised for all.
"""

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import string
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs

from bench.scenarios import Scenario
from bench.system import free_port, started
from gemproxy.access.secret import PURPOSE, hashed, id_in
from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.users import site as stored

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
PEERS = ROOT / "bench" / "peers"
_START_SECONDS = 60.0
_POLL_SECONDS = 0.005
ACCESS_KEY = "bench-Qm7xKf29vLcT4hWz"
METERED_KEY = f"gp-benchbenchbe-{'k' * 43}"


class NoAnswer(Exception):
    """A proxy did not begin to answer."""


@attrs.frozen
class Site:
    """The site of a proxy: its ports, its processes, a folder for its files."""

    port: int
    upstream_port: int
    cores: int
    folder: Path

    @property
    def upstream(self) -> str:
        """The upstream's URL."""
        return f"http://127.0.0.1:{self.upstream_port}"


@attrs.frozen(kw_only=True)
class Contender:
    """One proxy.

    ``command`` returns the command for a site. ``missing`` names a program to install, or is empty.
    ``prefix`` goes before Gemini's paths; only this proxy gets ``headers``, of which one may be an
    ``x-goog-api-key`` in place of the usual one. ``chat``: its clients speak OpenAI's dialect, in
    streams of text.
    """

    name: str
    command: Callable[[Site], list[str]]
    missing: Callable[[], str] = lambda: ""
    environment: Callable[[Site], Mapping[str, str]] = lambda _: {}
    prefix: str = ""
    headers: tuple[str, ...] = ()
    chat: bool = False
    repairs: bool = False
    several_processes: bool = False

    def can_run(self, scenario: Scenario) -> bool:
        """Return whether the scenario is meaningful for this proxy."""
        if scenario.cut_at and not self.repairs:
            return False
        if self.chat and (not scenario.events or scenario.big_bytes or scenario.body_bytes):
            return False
        return scenario.cores == 1 or self.several_processes


@attrs.frozen
class Running:
    """A running proxy: its process, its port, and the seconds to its first answer."""

    pid: int
    port: int
    start_seconds: float


@contextlib.contextmanager
def run(contender: Contender, upstream_port: int, cores: frozenset[int]) -> Iterator[Running]:
    """Run a proxy until the exit. Raises NoAnswer, with the end of its log."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's workers have another user if root starts it
        site = Site(free_port(), upstream_port, len(cores), folder)
        environment = {**_clean(os.environ), **contender.environment(site)}
        log = folder / "log"
        began = time.monotonic()
        with started(
            contender.command(site), cores, folder=folder, environment=environment, log=log
        ) as process:
            try:
                seconds = _first_answer(contender, site.port, began)
            except NoAnswer as error:
                raise NoAnswer(f"{error} Its log ends:\n{log.read_text()[-1000:]}") from None
            yield Running(process.pid, site.port, seconds)


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without variables that could be a setting of a proxy."""
    return {name: environ[name] for name in ("HOME", "LANG", "PATH") if name in environ}


def _first_answer(contender: Contender, port: int, began: float) -> float:
    """Ask until the proxy forwards an answer; return the seconds since ``began``."""
    while (now := time.monotonic()) - began < _START_SECONDS:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if _ask(contender, port) == http.HTTPStatus.OK:
                return time.monotonic() - began
        time.sleep(max(0.0, now + _POLL_SECONDS - time.monotonic()))
    raise NoAnswer(f"{contender.name} did not answer within {_START_SECONDS:g} s.")


def _ask(contender: Contender, port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"Content-Type": "application/json", "x-goog-api-key": "test-key"}
    headers |= dict(line.split(": ", 1) for line in contender.headers)
    with contextlib.closing(connection):
        path = f"{contender.prefix}/v1beta/models/bench:generateContent"
        connection.request("POST", path, '{"contents":[]}', headers)
        return connection.getresponse().status


def _gemproxy(site: Site, checkout: Path = ROOT) -> list[str]:
    values = {
        "server.port": site.port,
        "server.max_connections": 5000,
        "server.workers": site.cores,
        "upstream.url_base": site.upstream,
        "repair.retry_delay_ms": 0,
    }
    given = [word for key, value in values.items() for word in (f"--{key}", str(value))]
    return [sys.executable, str(checkout / "run.py"), *given]


def _pipe(site: Site) -> list[str]:
    return [sys.executable, str(PEERS / "pipe.py"), *_ports(site)]


def _fastapi(site: Site) -> list[str]:
    return [str(BUILD / "peers/bin/python"), str(PEERS / "fastapi_relay.py"), *_ports(site)]


def _ports(site: Site) -> list[str]:
    return ["--port", str(site.port), "--upstream", site.upstream]


def _nginx(site: Site) -> list[str]:
    template = string.Template((PEERS / "nginx.conf").read_text())
    conf = site.folder / "nginx.conf"
    conf.write_text(
        template.substitute(
            PORT=site.port, UPSTREAM=site.upstream_port, CORES=site.cores, FOLDER=site.folder
        )
    )
    return [_nginx_path(), "-e", "stderr", "-p", str(site.folder), "-c", str(conf)]


def _nginx_path() -> str:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""


def _litellm(site: Site) -> list[str]:
    program = str(BUILD / "litellm/bin/litellm")
    return [program, "--host", "127.0.0.1", "--port", str(site.port), "--telemetry", "False"]


def _litellm_chat(site: Site) -> list[str]:
    """Return the command of LiteLLM as a proxy for chats: its model ``bench`` is Gemini's."""
    settings = {
        "model_list": [
            {
                "model_name": "bench",
                "litellm_params": {
                    "model": "gemini/bench",
                    "api_base": f"{site.upstream}/v1beta",
                    "api_key": "test-key",
                },
            }
        ]
    }
    config = site.folder / "litellm.yaml"
    config.write_text(json.dumps(settings))  # YAML reads JSON, too
    return [*_litellm(site), "--config", str(config)]


def _litellm_environment(site: Site) -> dict[str, str]:
    return {
        "GEMINI_API_BASE": site.upstream,
        "GEMINI_API_KEY": "test-key",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise it fetches one at each start
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # it listens on loopback
    }


def pool_of_fifty(folder: Path) -> dict[str, str]:
    """Return settings of a pool: projects, limits, several access keys; and no ledger."""
    projects = {f"project-{n}": [f"AIzaBench-{n}-0", f"AIzaBench-{n}-1"] for n in range(25)}
    access = {"bench": ACCESS_KEY, "another": ACCESS_KEY[::-1]}
    limits = {"bench": {"rpm": 10**7, "tpm": 10**10, "rpd": 10**9}}
    return {
        "GEMPROXY_DATA_DIR": str(folder / "data"),
        "GEMPROXY_POOL_PROJECTS": json.dumps(projects),
        "GEMPROXY_POOL_LIMITS": json.dumps(limits),
        "GEMPROXY_ACCESS_KEYS": json.dumps(access),
        "GEMPROXY_LEDGER_ENABLED": "false",
    }


def metered_pool(folder: Path) -> dict[str, str]:
    """Return settings of that pool with a ledger; store a user with limits and METERED_KEY."""
    settings = {**pool_of_fifty(folder), "GEMPROXY_LEDGER_ENABLED": "true"}
    users_of = stored.Site(Path(settings["GEMPROXY_DATA_DIR"]), "", "", ZoneInfo("UTC"))
    limits = (
        Limit(Kind.RPM, 10**9),
        Limit(Kind.TPM, 10**12),
        Limit(Kind.RPM, 10**9, "bench"),
        Limit(Kind.CONCURRENCY, 10**6),
    )

    async def store() -> None:
        vault = users_of.vault()
        async with users_of.users(vault) as users:
            user = User(id_in(METERED_KEY), "metered", limits)
            await users.add(user, hashed(METERED_KEY, vault.subkey(PURPOSE)), time.time())

    asyncio.run(store())
    return settings


def _unless(path: Path, advice: str) -> Callable[[], str]:
    return lambda: "" if path.exists() else advice


GEMPROXY = Contender(name="gemproxy", command=_gemproxy, repairs=True, several_processes=True)


def before(checkout: Path) -> Contender:
    """Return gemproxy of another checkout, to measure a change within one run."""
    return attrs.evolve(
        GEMPROXY,
        name="before",
        command=lambda site: _gemproxy(site, checkout),
        missing=_unless(checkout / "run.py", f"there is no run.py in {checkout}"),
    )


UNCOUNTED = attrs.evolve(
    GEMPROXY, name="uncounted", environment=lambda _: {"GEMPROXY_METRICS_ENABLED": "false"}
)
"""gemproxy without metrics, to measure what they cost."""

POOLED = attrs.evolve(
    GEMPROXY,
    name="pooled",
    environment=lambda site: pool_of_fifty(site.folder),
    headers=(f"x-goog-api-key: {ACCESS_KEY}",),
)
"""gemproxy with 50 keys of its own, which its clients reach with an access key."""

METERED = attrs.evolve(
    POOLED,
    name="metered",
    environment=lambda site: metered_pool(site.folder),
    headers=(f"x-goog-api-key: {METERED_KEY}",),
)
"""The same with a ledger, for a user with limits of a minute and at once."""

TRACED = attrs.evolve(
    GEMPROXY,
    name="traced",
    environment=lambda site: {
        "GEMPROXY_TRACING_ENABLED": "true",
        "GEMPROXY_TRACING_ENDPOINT": site.upstream,
    },
)
"""gemproxy with spans of all requests; the upstream takes them, which answers 200 to anything."""

KEYED = attrs.evolve(
    GEMPROXY,
    name="keyed",
    environment=lambda _: {
        "GEMPROXY_RESUME_MAX_STREAMS": "100000",
        "GEMPROXY_RESUME_MAX_STREAMS_PER_USER": "100000",
        "GEMPROXY_RESUME_MAX_FOLLOWERS": "1000",
    },
    headers=("Idempotency-Key: bench-########",),
)
"""gemproxy for clients whose streams outlive their connections: each request has its own key."""

CHAT = attrs.evolve(GEMPROXY, name="chat", chat=True)
"""gemproxy for clients of OpenAI's dialect: the same upstream behind /v1/chat/completions."""

LITELLM_CHAT = Contender(
    name="litellm-chat",
    command=_litellm_chat,
    missing=_unless(BUILD / "litellm/bin/litellm", "not installed; run bench/setup litellm"),
    environment=_litellm_environment,
    chat=True,
)
"""LiteLLM for clients of OpenAI's dialect: it translates, as ``chat`` does."""

CONTENDERS = (
    Contender(
        name="nginx",
        command=_nginx,
        missing=lambda: "" if _nginx_path() else "nginx is not installed; run bench/setup",
        several_processes=True,
    ),
    Contender(name="pipe", command=_pipe),
    Contender(
        name="fastapi",
        command=_fastapi,
        missing=_unless(BUILD / "peers/bin/python", "its environment is missing; run bench/setup"),
    ),
    GEMPROXY,
)
"""The default contenders."""

OTHERS = (
    UNCOUNTED,
    POOLED,
    METERED,
    TRACED,
    KEYED,
    CHAT,
    Contender(
        name="litellm",
        command=_litellm,
        missing=_unless(BUILD / "litellm/bin/litellm", "not installed; run bench/setup litellm"),
        environment=_litellm_environment,
        prefix="/gemini",
    ),
    LITELLM_CHAT,
)
"""The contenders that ``--peers all`` adds."""
