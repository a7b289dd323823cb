"""No key of the pool and no access key in any output: log, answer, error, command, file, repr."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gemproxy.chaos.projects import Project
from gemproxy.chaos.refusals import (
    INVALID,
    LOCATION,
    Refusal,
    quota,
    requests_by_day,
    suspended,
)
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.config.settings import Settings
from gemproxy.pool.key import Key
from tests.faults.processes import ProxyProcess
from tests.pooled.conftest import StartHouse
from tests.pooled.house import ANN, BOB, K1, K2, K3, MODEL, SECRETS, access, projects, stream_of
from tests.pooled.program import program
from tests.wire import Answer, body_of

pytestmark = pytest.mark.production_loop

ADDED = "AQ.Ab8d4e6f1a2b3c5d7e9f0a1b2c3d4e5f6a7b8c9d"
"""A key that is added by the command."""


def found_in(*outputs: str | bytes) -> list[str]:
    """Return the secrets that are in some outputs."""
    texts = [one if isinstance(one, bytes) else one.encode() for one in outputs]
    return [
        secret for secret in (*SECRETS, ADDED) if any(secret.encode() in text for text in texts)
    ]


def shown(answer: Answer) -> str:
    return f"{list(answer.headers.items())}{answer.body!r}"


async def every_kind(process: ProxyProcess, fake: ChaosServer) -> list[Answer]:
    """Send requests of every kind and with every end; return the answers."""
    ask = process.ask
    answers = [await ask(stream_of(), body_of("Hello"), access())]
    refusals = (suspended(K1), INVALID, quota(requests_by_day(MODEL), delay=36), LOCATION)
    for refusal in refusals:
        for who in (K1, "P1", "*"):
            fake.cloud.refuse(who, refusal)
            answers.append(await ask(stream_of(), body_of(f"Hello {who}"), access()))
            fake.cloud.heal()
    generate = f"/v1/models/{MODEL}:generateContent"
    for target, headers in (
        (generate, {"x-goog-api-key": f"{ANN}0"}),
        (f"{generate}?key={BOB}0", {"X-Nothing": "x"}),
        (f"{generate}?key={BOB}", {"X-Nothing": "x"}),
        (f"/v1beta/{K1}/files?key={ANN}", {"X-Nothing": "x"}),
        (generate, {"Authorization": f"Bearer {BOB}", "Cookie": f"key={K3}"}),
        ("/nowhere", access()),
    ):
        answers.append(await ask(target, body_of("Hello"), headers))
    targets = ("/v1/files", "/v1/models", "/v1/files/x", "/health", "/livez")
    return [*answers, *[await ask(target, b"", access(), "GET") for target in targets]]


def files_of(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_bytes()


async def test_no_output_of_the_processes_has_a_secret(tmp_path: Path) -> None:
    installed = program(tmp_path, projects())
    async with ChaosServer(Script(BUILT_IN["story"], rearm=True), projects=projects()) as fake:
        said = [
            await installed.run("keys", "add", "--project", "P1", given=f"{ADDED}\n"),
            await installed.run("keys", "list"),
            await installed.run("check"),
        ]
        async with installed.serving(fake) as process:
            answers = await every_kind(process, fake)
            said += [
                await installed.run("keys", "list", "--json"),
                await installed.run("keys", "check"),
            ]
            await process.terminate()
            await process.exit_status()
            log = process.log.read_bytes()
    said.append(await installed.run("keys", "add", "--project", "P9", given=f"{K1}\n"))

    assert b"attempt" in log
    assert found_in(log) == []
    assert [shown(answer)[:400] for answer in answers if found_in(shown(answer))] == []
    assert [words for words in said if found_in(words[1], words[2])] == []
    assert [found for data in files_of(tmp_path / "data") if (found := found_in(data))] == []


@pytest.mark.parametrize("refusal", [suspended(K3), INVALID], ids=["suspended", "invalid"])
async def test_a_bound_request_does_not_show_its_sick_key(
    house: StartHouse, refusal: Refusal
) -> None:
    started = await house([Project("P2", (K3,))])
    made = await started.send("POST", "/v1/cachedContents", {"model": f"models/{MODEL}"})
    name = json.loads(made.body)["name"]
    started.cloud.refuse(K3, refusal)

    answers = [await started.send("GET", f"/v1/{name}") for _ in range(2)]
    answers.append(await started.ask(cachedContent=name))

    assert all(answer.status >= 400 for answer in answers)
    assert found_in(*map(shown, answers)) == []


def test_no_repr_of_settings_has_a_secret() -> None:
    settings = Settings.load(
        [],
        {
            "GEMPROXY_POOL_PROJECTS": json.dumps({"P1": [K1, K2]}),
            "GEMINI_API_KEY": K3,
            "GEMPROXY_ACCESS_KEYS": json.dumps({"ann": ANN}),
            "PASSWORD": BOB,
        },
    )

    assert found_in(repr(settings), repr(settings.settings), repr(settings.rows())) == []


@pytest.mark.parametrize("made", [Key(K1, "P1"), Project("P1", (K1, K2))], ids=["key", "fake"])
def test_no_repr_of_a_key_has_it(made: Any) -> None:
    assert found_in(repr(made), str(made)) == []
