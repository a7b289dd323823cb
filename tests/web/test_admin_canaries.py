"""No answer of the operator's paths holds a secret, a prompt or an answer: all of them are asked.

Secrets are planted wherever the proxy takes one, and requests leave traces of prompts, answers and
errors. Then every route is asked, as it is meant and with secrets in the place of what it takes. A
new route is asked, too, because the table of the routes is gone through.
"""

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gemproxy.admin.guard import GUARD, Attempts
from gemproxy.admin.route import Form, Route
from gemproxy.admin.table import ROUTES
from gemproxy.config.settings import Settings
from gemproxy.web.tuning import TUNER
from tests.gemini import chunk, sse
from tests.replies import SILENT, json_reply, replying, sse_reply
from tests.running import Proxy, StartProxy
from tests.wire import STREAM, Answer

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
OPERATOR = {"x-admin-secret": SECRET}
PLANTED = {
    "the operator's secret": SECRET,
    "a key of the settings": "AIzaSyCanarySettingsCanarySettings00001",
    "a key of a project": "AIzaSyCanaryProjectCanaryProject0000002",
    "a key that is added": "AIzaSyCanaryAddedCanaryAddedCanary00003",
    "a key in a wrong place": "AIzaSyCanaryWrongCanaryWrongCanary00004",
    "a password of a proxy": "canary-proxy-7Kq2mXv9TzRw",
    "an access key": "gp-CanaryAnnCanaryAnn4Lp8",
    "a password of all": "canary-password-9TzRw4Lp8",
    "a prompt": "canary prompt of a client",
    "an injected prompt": "canary prompt of the operator",
    "an answer": "canary text of an answer",
}
KEY, WRONG = PLANTED["a key of the settings"], PLANTED["a key in a wrong place"]
CALLER = {"x-goog-api-key": PLANTED["an access key"], "X-Request-Id": "told"}
PROMPT = json.dumps(
    {"contents": [{"role": "user", "parts": [{"text": PLANTED["a prompt"]}]}]}
).encode()
ECHO = json_reply(
    {"error": {"code": 503, "message": f"{KEY} {PLANTED['a prompt']}", "status": "UNAVAILABLE"}},
    503,
)
TOLD = sse_reply(sse(chunk(PLANTED["an answer"], finish="STOP")))


def sections(upstream: str) -> dict[str, Any]:
    """Return settings that are full of secrets; the upstream is also the proxy on the way to it."""
    proxy = upstream.replace("//", f"//u:{PLANTED['a password of a proxy']}@")
    return {
        "admin": {"secret": SECRET},
        "ledger": {"enabled": True},
        "pool": {
            "keys": KEY,
            "projects": {"far": [PLANTED["a key of a project"]]},
            "proxies": {"far": proxy},
        },
        "access": {
            "keys": {"ann": PLANTED["an access key"]},
            "password": PLANTED["a password of all"],
        },
        "injection": {"enabled": True, "content": PLANTED["an injected prompt"]},
    }


FLAGS = [
    *("--admin.secret", SECRET, "--access.password", PLANTED["a password of all"]),
    *("--pool.keys", KEY, "--injection.content", PLANTED["an injected prompt"]),
]
NAMES = {
    "key": ["ffffffff", WRONG],
    "name": ["ann", "ben", WRONG],
    "id": ["told", WRONG],
    "image": [f"{32 * '0'}.png", WRONG],
    "path": ["injection.content", "pool.keys", "access.keys", "admin.secret", WRONG],
}
"""What stands for the parts of paths."""

BESIDE = [
    *("/debug/info", "/status", "/health", "/healthz", "/livez", "/readyz", "/wake", "/metrics"),
    *("/metrics?format=json", "/docs", "/docs/start.js", "/docs/openapi.json", "/docs/none"),
    *(f"/admin/api/v1/usage{form}?by=user&by=key" for form in ("", ".csv", "/interruptions")),
    *("/admin/api/v1/usage?by=project&by=day", "/admin/api/v1/requests?totals=true&limit=1"),
    *(f"/admin/{WRONG}", f"/docs/{WRONG}", f"/debug/info?x={WRONG}"),
]

AFTER = [
    f"/admin/api/v1/{path}" for path in ("audit?limit=1000", "keys", "settings", "users", "streams")
]


def targets(row: Route) -> Iterator[str]:
    """Give the targets of a route: every name for the parts of its path, and a wrong query."""
    parts = [part.partition("}")[0] for part in row.path.split("{")[1:]]
    for names in itertools.product(*(NAMES[part] for part in parts)):
        target = row.base + row.path
        for part, name in zip(parts, names, strict=True):
            target = target.replace(f"{{{part}}}", name)
        yield target
        yield f"{target}?{WRONG}={WRONG}"
        yield from (f"{target}?{name}={WRONG}" for name in fields(row.query))


def fields(form: Any) -> list[str]:
    """Return the names of a form's fields."""
    form = form if isinstance(form, type) else form.__origin__
    assert issubclass(form, Form)
    return [field.encode_name for field in msgspec.structs.fields(form)]


def bodies(row: Route) -> Iterator[bytes]:
    """Give bodies with a key in every place that a route might take something from."""
    yield b'{"' + WRONG.encode()
    for document in ({}, {WRONG: 1}, [WRONG], *({name: WRONG} for name in fields(row.body))):
        yield json.dumps(document).encode()
    for value in (WRONG, [WRONG], {WRONG: WRONG}, {"pool.keys": WRONG, "injection.content": [1]}):
        yield json.dumps(dict.fromkeys(fields(row.body), value)).encode()


async def answers(served: Proxy) -> AsyncIterator[tuple[str, Answer]]:
    """Ask everything that an operator may ask, with and without the secret."""
    for target in BESIDE:
        for headers in (OPERATOR, {"x": "1"}, {"x-admin-secret": WRONG}):
            yield target, await served.ask(target, b"", headers, "GET")
        served.app[GUARD].attempts = Attempts()
    for row in sorted(ROUTES, key=lambda row: row.method != "GET"):
        for target in targets(row):
            for body in [b""] if row.method == "GET" else bodies(row):
                yield f"{row.method} {target}", await served.ask(target, body, OPERATOR, row.method)
    for target in AFTER:
        yield f"{target} after all changes", await served.ask(target, b"", OPERATOR, "GET")


async def spoken(served: Proxy) -> None:
    """Have the proxy repeat, pass on and write down prompts and answers."""
    answer = await served.ask(STREAM, PROMPT, CALLER)
    assert PLANTED["an answer"].encode() in answer.body, answer.body
    for body, status in (
        ({"key": PLANTED["a key that is added"], "project": "lab"}, 201),
        ({"key": PLANTED["a key that is added"], "project": "lab"}, 409),
    ):
        made = await served.ask("/admin/api/v1/keys", json.dumps(body).encode(), OPERATOR)
        assert made.status == status
        assert leaks(made) == []


def leaks(answer: Answer) -> list[str]:
    """Return which of the secrets an answer holds."""
    whole = answer.body.decode("utf-8", "replace") + str(answer.headers)
    return [name for name, secret in PLANTED.items() if secret in whole]


async def test_no_answer_holds_a_secret_a_prompt_or_an_answer(
    proxy: StartProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with replying(ECHO, TOLD, SILENT) as upstream:
        served = await proxy(upstream.url, **sections(upstream.url))
        served.app[TUNER].loaded = Settings.load(FLAGS, {}, tmp_path)
        await spoken(served)
        ben = await served.ask("/admin/api/v1/users", b'{"name": "ben"}', OPERATOR)
        planted = json.loads(ben.body)["key"]
        async with served.connect() as client:
            await client.send(STREAM, PROMPT, CALLER)
            await upstream.stalled.wait()
            asked = 0
            async for target, answer in answers(served):
                asked += 1
                assert leaks(answer) == [], target
                assert planted.encode() not in answer.body, target
                assert answer.status < 500, (target, answer.body)
    assert asked > 300
    assert [name for name, secret in PLANTED.items() if secret in caplog.text] == []
