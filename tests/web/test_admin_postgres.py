"""The admin API says the same over SQLite and over PostgreSQL, request by request.

One story of an operator is told over both: requests of clients, access keys, settings, figures,
the audit log, the database. What differs by itself (ids, times, keys, sizes) is left out.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from gemproxy.web.accounting import LEDGER
from tests.gemini import chunk, sse
from tests.ledger.conftest import postgres
from tests.postgres import Postgres
from tests.replies import error_reply, replying, sse_reply
from tests.running import Proxy, running
from tests.wire import STREAM, body_of

__all__ = ["postgres"]
pytestmark = pytest.mark.production_loop

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
ANN = "gp-7Kq2mXv9TzRw4Lp8"
WHOLE = sse_reply(sse(chunk("All of it.", finish="STOP", usage=(3, 2))))
CUT = sse_reply(sse(chunk("The first half of it, ", usage=(3, 1))), closes=True)
OWN = {
    "id",
    "key",
    "number",
    "time",
    "made",
    "revoked",
    "started",
    "from",
    "to",
    "old_key_until",
} | {
    *("resets", "cursor", "next", "previous", "change"),
}
"""Fields whose values differ from one run to the next."""

OF_A_DATABASE = {"kind", "file", "host", "port", "name", "server", "bytes", "oldest", "newest"} | {
    *("summed_until", "kept_since"),
}
OF_TIME = re.compile(r"_ms$|milliseconds")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:")
STEPS: list[tuple[str, str, Any, int]] = [
    ("GET", "/users", None, 200),
    ("POST", "/users", {"name": "ben", "limits": [{"kind": "rpm", "amount": 5}]}, 200),
    ("POST", "/users", {"name": "ben"}, 409),
    ("PATCH", "/users/ben", {"models": ["gemini-test"], "expires": "2030-01-31"}, 200),
    ("POST", "/users/ben/rotate", {"grace": 60}, 200),
    ("GET", "/users?limit=1", None, 200),
    ("GET", "/users?cursor=stored:0", None, 200),
    ("DELETE", "/users/ben", None, 200),
    ("DELETE", "/users/nobody", None, 404),
    ("PUT", "/settings/repair.max_resumes", {"value": 3}, 200),
    ("PATCH", "/settings", {"values": {"thinking.budget": 512}, "reset": []}, 200),
    ("PUT", "/settings/repair.max_resumes", {"value": 4, "change": 1}, 409),
    ("DELETE", "/settings/repair.max_resumes", None, 200),
    ("GET", "/settings/thinking.budget", None, 200),
    ("GET", "/usage", None, 200),
    ("GET", "/usage?by=user&by=model", None, 200),
    ("GET", "/usage?by=key&by=day&timezone=Asia/Kathmandu", None, 200),
    ("GET", "/usage?by=month&user=ann", None, 200),
    ("GET", "/usage?from=2026-01-01&to=2026-01-02", None, 200),
    ("GET", "/usage/interruptions", None, 200),
    ("GET", "/requests?totals=true", None, 200),
    ("GET", "/requests?limit=2&ending=done", None, 200),
    ("GET", "/requests?interrupted=true&min_cost_usd=0", None, 200),
    ("GET", "/requests?status=503&user=ann", None, 200),
    ("GET", "/requests/told-1", None, 200),
    ("GET", "/requests/unknown", None, 404),
    ("GET", "/models?limit=2", None, 200),
    ("GET", "/prices", None, 200),
    ("GET", "/keys", None, 200),
    ("GET", "/audit", None, 200),
    ("GET", "/audit?action=users.add&to=2999-12-31", None, 200),
    ("GET", "/database", None, 200),
    ("POST", "/database/check", {}, 200),
    ("POST", "/database/cleanup", {"days": 0}, 200),
    ("GET", "/usage?by=user", None, 200),
    ("GET", "/requests", None, 200),
]


def plain(value: Any, left_out: set[str]) -> Any:
    """Return a document without what differs by itself."""
    if isinstance(value, Mapping):
        kept = {
            name: one
            for name, one in value.items()
            if name not in left_out and not OF_TIME.search(name)
        }
        return {name: plain(one, left_out) for name, one in kept.items()}
    if isinstance(value, list):
        return [plain(one, left_out) for one in value]
    return "a time" if isinstance(value, str) and TIME.match(value) else value


async def lived(served: Proxy) -> None:
    """Have clients ask, with answers that are whole, cut and refused."""
    for number in range(4):
        headers = {"x-goog-api-key": ANN, "X-Request-Id": f"told-{number}"}
        await served.ask(STREAM, body_of(f"Tell {number}."), headers)
    assert await served.app[LEDGER].flush()


async def story(database_url: str) -> list[tuple[str, int, Any]]:
    """Return each request of the operator's with the status and the answer."""
    refused = error_reply(503)
    replies = [WHOLE, CUT, WHOLE, refused, refused, refused, WHOLE]
    async with (
        replying(*replies) as upstream,
        running(
            upstream.url,
            admin={"secret": SECRET},
            ledger={"enabled": True, "database_url": database_url},
            pool={"keys": "AIzaSyPool"},
            access={"keys": {"ann": ANN}},
            repair={"max_consecutive_retries": 2},
        ) as served,
    ):
        await lived(served)
        told = []
        for method, path, document, status in STEPS:
            body = b"" if document is None else json.dumps(document).encode()
            headers = {"x-admin-secret": SECRET}
            answer = await served.ask(f"/admin/api/v1{path}", body, headers, method)
            assert answer.status == status, (path, answer.body)
            own = OWN | (OF_A_DATABASE if "database" in path else set())
            if status < 400:
                told.append((path, answer.status, plain(json.loads(answer.body), own)))
    return told


async def test_every_request_is_answered_alike(
    postgres: Postgres,
) -> None:
    over_sqlite = await story("")
    over_postgres = await story(await asyncio.to_thread(postgres.empty))

    for (path, *one), (_, *other) in zip(over_sqlite, over_postgres, strict=True):
        assert one == other, path
