"""The admin API does what its document says: schemathesis tries it, and finds nothing.

It derives requests from the served document, fitting and unfitting ones, and judges the answers by
it. The proxy has a ledger and a secret, so that handlers are reached. The limit of attempts is
raised: else it would refuse most tries without the secret.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis import engine
from schemathesis.engine.events import FatalError, NonFatalError

from gemproxy.admin.guard import GUARD, Attempts
from tests.replies import json_reply, replying
from tests.running import StartProxy

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
OPERATOR = {"x-admin-secret": SECRET}
DOCUMENT = "/admin/api/v1/openapi.json"

OF_THE_MACHINE = "^/admin/api/v1/database/"
"""Routes that write files or hold the whole database up; each has tests of its own."""

OFF = {"enabled": False}
CHECKS = {
    # A right x-admin-secret is enough; a wrong Authorization beside it may be meant for another.
    "ignored_auth": OFF,
    # A setting that is reset has the value of the files, and is still there.
    "use_after_free": OFF,
}
OPERATIONS = [
    {
        # A setting is judged by its own rules, and together with all others.
        "include-path-regex": "^/admin/(api/v1/settings|config/(thinking|inject-prompt))",
        "checks": {"positive_data_acceptance": OFF},
    },
    {
        # The body is stronger than the query: a field of the query that it hides is not looked at.
        "include-path-regex": "^/admin/config/",
        "checks": {"negative_data_rejection": OFF},
    },
]


def configured(url: str) -> schemathesis.Config:
    """Return a short run that is the same each time, and keeps nothing."""
    return schemathesis.Config.from_dict(
        {
            "seed": 1,
            "base-url": url,
            "headers": OPERATOR,
            "cache": OFF,
            "phases": {"coverage": {"unexpected-methods": ["DELETE"]}},
            "generation": {"deterministic": True, "max-examples": 5, "database": "none"},
            "checks": CHECKS,
            "operations": OPERATIONS,
        }
    )


def filter_query(_context: schemathesis.HookContext, query: Any) -> bool:
    """Leave out periods with both ends: no schema can say that one is after the other."""
    return not isinstance(query, dict) or not {"from", "to"} <= query.keys()


def filter_body(_context: schemathesis.HookContext, body: Any) -> bool:
    """Leave out several limits: no schema can say that they are about different things."""
    limits = body.get("limits") if isinstance(body, dict) else None
    return not isinstance(limits, list) or len(limits) <= 1


def found(document: dict[str, Any], url: str) -> Iterator[str]:
    """Try the API of a document, and give what is wrong with it."""
    schema = schemathesis.openapi.from_dict(document, config=configured(url))
    schema.hook(filter_query)
    schema.hook(filter_body)
    for event in engine.from_schema(schema.exclude(path_regex=OF_THE_MACHINE)).execute():
        if isinstance(event, FatalError):
            raise event.exception
        if isinstance(event, NonFatalError):
            yield f"{event.label}: {event.value}"
        recorder = getattr(event, "recorder", None)
        nodes = [] if recorder is None else [n for of in recorder.checks.values() for n in of]
        for node in nodes:
            if node.failure_info is not None:
                yield f"{node.failure_info.failure.operation} {node.name}: {node.failure_info}"


async def test_the_api_does_what_its_document_says(
    proxy: StartProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the program writes files into the folder that it runs in
    async with replying(json_reply({"models": []})) as upstream:
        served = await proxy(
            upstream.url,
            admin={"secret": SECRET},
            ledger={"enabled": True},
            pool={"keys": "AIzaSyPool"},
            access={"keys": {"ann": "gp-7Kq2mXv9TzRw4Lp8"}},
        )
        served.app[GUARD].attempts = Attempts(most=1_000_000)
        answer = await served.ask(DOCUMENT, b"", OPERATOR, method="GET")
        document = json.loads(answer.body)
        zones = document["components"]["schemas"]["TimeZone"]
        zones["enum"] = zones["enum"][::100]  # each of them would be tried, and there are hundreds
        faults = await asyncio.to_thread(lambda: list(found(document, served.url)))

    assert not faults, "\n".join(faults)
