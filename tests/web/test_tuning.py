"""Settings of running proxies: changed, followed by others, kept, refused, and told to nobody."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gemproxy.admin import settings as handlers
from gemproxy.admin.desk import Desk
from gemproxy.admin.route import NOTHING, Call
from gemproxy.admin.settings import Known, NewValue, NewValues, Setting
from gemproxy.config.settings import Settings
from gemproxy.core.errors import BadRequest, Busy, Conflict, Unrouted
from gemproxy.ledger.audit import Audit
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.settings import SettingsTable
from gemproxy.web.tuning import Tuner

PROMPT = "be brief about the blue parrot"


@pytest.fixture
async def engines(tmp_path: Path) -> AsyncIterator[Engines]:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    yield engines
    await engines.close()


def tuner_of(engines: Engines | None, *argv: str, **environ: str) -> Tuner:
    base = Settings.load(argv, environ=environ, cwd=Path("/nonexistent"))
    table = None if engines is None else SettingsTable(engines, Audit(engines))
    return Tuner(base, table=table)


def call(tuner: Tuner, path: str = "", body: Any = NOTHING) -> Call[Any, Any]:
    return Call(Desk(settings=tuner), {"path": path}, Known(), body, "operator", "192.0.2.7")


async def put(tuner: Tuner, path: str, value: object, change: int | None = None) -> Setting:
    return await handlers.put(call(tuner, path, NewValue(value=value, change=change)))


async def patch(tuner: Tuner, values: Mapping[str, object], *reset: str) -> None:
    await handlers.patch(call(tuner, body=NewValues(values=dict(values), reset=list(reset))))


async def test_a_change_reaches_all_takers_and_other_processes(engines: Engines) -> None:
    one, other = tuner_of(engines), tuner_of(engines)
    seen: list[Settings] = []
    one.takers.append(seen.append)

    answer = await put(one, "pool.strategy", "weighted")

    assert (answer.value, answer.origin, answer.live) == ("weighted", "admin", True)
    assert seen == [one.settings]
    assert other.one("pool.strategy").value == "least_used"
    await other.load()
    assert other.one("pool.strategy").value == "weighted"


async def test_a_change_outlives_the_process(engines: Engines) -> None:
    await put(tuner_of(engines), "repair.max_resumes", 3)

    started = tuner_of(engines)
    await started.load()

    assert started.settings.repair.max_resumes == 3


async def test_a_reset_gives_the_variable_back(engines: Engines) -> None:
    environ = {"GEMPROXY_REPAIR_MAX_RESUMES": "9"}
    tuner = tuner_of(engines, **environ)
    await put(tuner, "repair.max_resumes", 3)

    answer = await handlers.reset(call(tuner, "repair.max_resumes"))

    assert (answer.value, answer.origin) == (9, "environment GEMPROXY_REPAIR_MAX_RESUMES")


async def test_a_flag_is_stronger_and_is_named(engines: Engines) -> None:
    tuner = tuner_of(engines, "--repair.max_resumes=5")

    with pytest.raises(Conflict, match=r"flag --repair\.max_resumes"):
        await put(tuner, "repair.max_resumes", 3)
    assert not tuner.one("repair.max_resumes").live


async def test_a_stored_value_under_a_flag_waits_for_a_start_without_it(
    engines: Engines, caplog: pytest.LogCaptureFixture
) -> None:
    await put(tuner_of(engines), "repair.max_resumes", 3)

    flagged = tuner_of(engines, "--repair.max_resumes=5")
    await flagged.load()
    await put(flagged, "repair.max_seconds", 8)

    assert flagged.settings.repair.max_resumes == 5
    assert "a stored setting is not used: repair.max_resumes" in caplog.text
    again = tuner_of(engines)
    await again.load()
    assert again.settings.repair.max_resumes == 3


async def test_several_change_at_once_or_none(engines: Engines) -> None:
    tuner = tuner_of(engines)

    with pytest.raises(BadRequest, match=r"thinking\.budget") as refusal:
        await patch(tuner, {"repair.max_resumes": 3, "thinking.budget": 99_999})
    assert "injection" not in str(refusal.value)
    assert tuner.settings.repair.max_resumes == 20
    await patch(tuner, {"injection.content": PROMPT, "injection.enabled": True})
    assert tuner.settings.injection.enabled
    with pytest.raises(BadRequest, match="no prompt to inject"):
        await patch(tuner, {}, "injection.content")
    await patch(tuner, {}, "injection.content", "injection.enabled")
    assert not tuner.settings.injection.enabled


async def test_of_two_operators_at_once_no_two_changes_make_what_one_could_not(
    engines: Engines,
) -> None:
    one, other = tuner_of(engines), tuner_of(engines)
    await patch(one, {"injection.content": PROMPT})
    await other.load()

    done = await asyncio.gather(
        put(one, "injection.enabled", value=True),
        handlers.reset(call(other, "injection.content")),
        return_exceptions=True,
    )

    assert sum(isinstance(it, BadRequest) for it in done) == 1
    await one.load()
    await other.load()
    assert one.settings == other.settings


async def test_the_last_writer_wins_unless_the_change_is_named(engines: Engines) -> None:
    tuner = tuner_of(engines)
    await put(tuner, "repair.max_resumes", 3)
    seen = tuner.number
    await put(tuner, "repair.max_resumes", 4)

    with pytest.raises(Conflict, match=f"change {tuner.number}"):
        await put(tuner, "repair.max_resumes", 5, seen)
    await put(tuner, "repair.max_resumes", 6, tuner.number)

    assert tuner.settings.repair.max_resumes == 6
    details = [entry.deed.detail for entry in await Audit(engines).read(9)]
    assert details == [
        {"before": "4", "value": "6"},
        {"before": "3", "value": "4"},
        {"before": "20", "value": "3"},
    ]


async def test_no_secret_and_no_prompt_is_told(
    engines: Engines, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gemproxy")
    keys = {"GEMINI_API_KEYS": "AIzaSy-canary", "PASSWORD": "canary-8d2f5b9a1c3e"}
    tuner = tuner_of(engines, **keys)

    await patch(tuner, {"injection.content": PROMPT, "injection.enabled": True})
    with contextlib.suppress(BadRequest):
        await put(tuner, "injection.content", [PROMPT])

    page = await handlers.listed(call(tuner))
    entries = await Audit(engines).read(9)
    logged = [it.getMessage() for it in caplog.records if it.name.startswith("gemproxy")]
    for told in (repr(page), repr(entries), repr(logged)):
        assert "parrot" not in told
        assert "canary" not in told
    shown = {one.path: one for one in page.settings}
    assert shown["injection.content"].value is None
    assert shown["injection.content"].text == "(30 characters)"
    assert {entry.deed.target for entry in entries} == {"injection.content", "injection.enabled"}


async def test_without_a_ledger_nothing_is_live() -> None:
    tuner = tuner_of(None)

    with pytest.raises(Conflict, match=r"ledger\.enabled"):
        await put(tuner, "repair.max_resumes", 3)
    assert not any(one.live for one in tuner.all())


async def test_what_cannot_change_says_why(engines: Engines) -> None:
    tuner = tuner_of(engines)

    with pytest.raises(Conflict, match=r"server\.port changes by a restart only"):
        await put(tuner, "server.port", 1)
    with pytest.raises(Unrouted):
        await put(tuner, "server.prot", 1)
    with pytest.raises(Unrouted):
        await handlers.shown(call(tuner, "server.prot"))
    assert tuner.one("server.port").note == "changes by a restart only"


async def test_a_database_that_fails_changes_nothing(engines: Engines) -> None:
    tuner = tuner_of(engines)
    async with engines.writing() as connection:
        await connection.exec_driver_sql("DROP TABLE settings")

    with pytest.raises(Busy, match="Nothing changed"):
        await put(tuner, "repair.max_resumes", 3)

    assert tuner.settings.repair.max_resumes == 20


def test_every_setting_can_be_shown() -> None:
    settings = tuner_of(None).all()

    assert len(settings) > 100
    assert all(one.description for one in settings)
