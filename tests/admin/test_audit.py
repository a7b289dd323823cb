"""The audit log through the admin API: entries are noted by handlers, and listed by pages."""

import datetime as dt
import itertools
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gemproxy.admin.audit import AuditQuery, audit, note
from gemproxy.admin.desk import Desk
from gemproxy.admin.route import NOTHING, Call
from gemproxy.core.errors import BadRequest, Unrouted
from gemproxy.ledger.audit import Audit
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.schema import prepare

NOW = 1_800_000_000.0


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    yield Desk(audit=Audit(engines, itertools.count(NOW).__next__))
    await engines.close()


def call(desk: Desk, **query: Any) -> Call[AuditQuery, Any]:
    return Call(desk, {}, AuditQuery(**query), NOTHING, "admin", "192.0.2.7")


async def test_what_a_handler_notes_is_listed(desk: Desk) -> None:
    await note(call(desk), "keys.add", "lab", {"keys": 2})

    page = await audit(call(desk))

    (entry,) = page.entries
    assert (entry.actor, entry.address) == ("admin", "192.0.2.7")
    assert (entry.action, entry.target, entry.detail) == ("keys.add", "lab", {"keys": 2})
    assert entry.time == dt.datetime.fromtimestamp(NOW, dt.UTC)
    assert page.next is None


async def test_pages_follow_one_another(desk: Desk) -> None:
    for number in range(3):
        await note(call(desk), "keys.add", f"k{number}")

    first = await audit(call(desk, limit=2))
    second = await audit(call(desk, limit=2, cursor=first.next))

    assert [entry.target for entry in first.entries + second.entries] == ["k2", "k1", "k0"]
    assert second.next is None


async def test_a_time_without_an_offset_is_utc(desk: Desk) -> None:
    for number in range(3):
        await note(call(desk), "keys.add", f"k{number}")
    moment = dt.datetime.fromtimestamp(NOW + 1, dt.UTC).replace(tzinfo=None)
    later = moment + dt.timedelta(seconds=1)

    page = await audit(call(desk, begin=moment.isoformat(), end=later.isoformat()))

    assert [entry.target for entry in page.entries] == ["k1"]


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 40, "²"])
async def test_a_cursor_of_nobody_is_refused(desk: Desk, cursor: str) -> None:
    with pytest.raises(BadRequest, match="cursor"):
        await audit(call(desk, cursor=cursor))


async def test_without_a_ledger_a_change_is_a_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    await note(call(Desk()), "keys.add", "lab", {"keys": 2})

    assert 'keys.add lab {"keys": 2} by admin from 192.0.2.7' in caplog.text
    with pytest.raises(Unrouted, match=r"ledger\.enabled"):
        await audit(call(Desk()))


async def test_a_log_that_cannot_be_written_fails_no_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engines = Engines.of(place_of("", tmp_path))  # where nobody made the tables

    await note(call(Desk(audit=Audit(engines))), "keys.add", "lab")

    assert "the audit log lacks keys.add lab" in caplog.text
    await engines.close()
