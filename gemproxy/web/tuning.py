"""The settings of a running proxy: what they are now, and changing those that are live.

The values that operators set are kept in the ledger's database. Every process follows them there
(``ledger.follower``), so a change acts on the next request of all processes within a second; in the
process that makes it, before the answer. What depends on such settings registers a *taker*, which
gets the new settings as a whole.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence

import attrs
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.admin.settings import Caller, Setting
from gemproxy.config.live import (
    ADMIN,
    changed,
    columns_of,
    fixed,
    note_of,
    option_of,
    pinned,
    shape_of,
    shown,
    taken,
)
from gemproxy.config.settings import Loaded, Settings, SettingsError, values_of
from gemproxy.config.sources import problem
from gemproxy.core.errors import BadRequest, Busy, Conflict, Unrouted
from gemproxy.ledger.audit import Audit, Deed
from gemproxy.ledger.engine import words_of
from gemproxy.ledger.follower import Follower
from gemproxy.ledger.settings import SettingsTable, Stored
from gemproxy.observe.logs import redact
from gemproxy.web.accounting import LEDGER

_log = logging.getLogger(__name__)

_SECRET = "changed"  # noqa: S105 (the word for one)
_CHANGE, _RESET = "settings.change", "settings.reset"
_NO_LEDGER = (
    "Settings that change while the proxy runs are kept in the ledger, and this proxy keeps none:"
    " set ledger.enabled to true and start it again."
)


@attrs.define(eq=False)
class Tuner:
    """The settings of an application. ``base`` are those of its start, without stored values.

    ``takers`` get the settings when they change; ``projects`` returns the projects with a key.
    """

    base: Loaded
    takers: list[Callable[[Settings], object]] = attrs.field(factory=list)
    projects: Callable[[], Collection[str]] = tuple
    table: SettingsTable | None = None
    loaded: Loaded = attrs.field(init=False)
    _stored: Stored = attrs.field(factory=Stored)
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    @loaded.default
    def _as_started(self) -> Loaded:
        return self.base

    @property
    def settings(self) -> Settings:
        """The settings that the next request begins with."""
        return self.loaded.settings

    @property
    def number(self) -> int:
        """The number of the last change that this process has taken up."""
        return self._stored.change

    async def load(self) -> None:
        """Take up what is stored. Raises SQLAlchemyError and OSError."""
        assert self.table is not None  # noqa: S101 (otherwise nothing is stored)
        async with self._lock:
            news = await self.table.since(self._stored.change)
            if news is not None:
                self._take(news)

    async def change(
        self, values: Mapping[str, object], reset: Sequence[str], caller: Caller, number: int | None
    ) -> None:
        """Set values, and give the settings ``reset`` those of the files back; all or nothing.

        ``number`` is the last change that the caller knows of, None if that does not matter.
        Raises Unrouted, Conflict, BadRequest and Busy.
        """
        table = self._changeable((*values, *reset))

        def decide(present: Stored) -> tuple[Mapping[str, object], Sequence[Deed]]:
            if number is not None and number != present.change:
                raise Conflict(f"The settings were changed meanwhile: change {present.change}.")
            before, _ = taken(self.base, present.values, self.projects())
            kept = {path: value for path, value in present.values.items() if path not in reset}
            used = {p: value for p, value in kept.items() if before.origins.get(p) == ADMIN}
            try:
                after = changed(self.base, {**used, **values}, self.projects())
            except SettingsError as error:
                raise BadRequest(". ".join(map(redact, error.problems))) from None
            gone = [path for path in reset if path in present.values]
            return {**kept, **values}, list(_deeds(before, after, values, gone, caller))

        async with self._lock:
            try:
                stored = await table.change(decide)
            except (SQLAlchemyError, OSError) as error:
                words = words_of(error)
                raise Busy(f"The settings cannot be stored: {words}. Nothing changed.") from None
            self._take(stored)

    def _changeable(self, paths: Iterable[str]) -> SettingsTable:
        """Return the table, if settings may change. Raises Unrouted and Conflict."""
        problems = []
        for path in paths:
            if option_of(path) is None:
                raise Unrouted(f"There is no setting {redact(path)!r}.")
            if (why := fixed(self.base, path)) is not None:
                problems.append(f"{path} {why}.")
        if problems:
            raise Conflict(" ".join(problems))
        if self.table is None:
            raise Conflict(_NO_LEDGER)
        return self.table

    def _take(self, stored: Stored) -> None:
        """Have the next request begin with the stored values."""
        self._stored = stored
        before = self.loaded
        self.loaded, problems = taken(self.base, stored.values, self.projects())
        for text in problems:
            _log.warning("a stored setting is not used: %s", redact(text))
        old, new = values_of(before.settings), values_of(self.settings)
        paths = [path for path in {**old, **new} if old.get(path) != new.get(path)]
        if not paths:
            return
        for take in self.takers:
            take(self.settings)
        _log.info("settings changed by change %d: %s", stored.change, ", ".join(paths))

    def all(self) -> list[Setting]:
        """Return every setting, in their order."""
        return [self._setting(path, value) for path, value in values_of(self.settings).items()]

    def one(self, path: str) -> Setting:
        """Return the setting at a path. Raises Unrouted."""
        values = values_of(self.settings)
        if path not in values:
            raise Unrouted(f"There is no setting {redact(path)!r}.")
        return self._setting(path, values[path])

    def _setting(self, path: str, value: object) -> Setting:
        option = option_of(path)
        assert option is not None  # noqa: S101 (it has a value)
        text, plain = shown(option, value)
        shape, words = shape_of(option)
        why, note = fixed(self.base, path), note_of(path)
        standard = values_of(Settings()).get(path)
        return Setting(
            path=path,
            value=plain,
            text=text,
            origin=self.loaded.origins[path],
            live=why is None and self.table is not None,
            note=why or note or "",
            secret=option.is_secret,
            shape=shape,
            words=words,
            columns=columns_of(option),
            pinned=pinned(self.base, path),
            description=option.metadata.get("argparse", {}).get("help", ""),
            default="" if standard is None else shown(option, standard)[0],
        )


def _deeds(
    before: Loaded,
    after: Loaded,
    values: Mapping[str, object],
    reset: Sequence[str],
    caller: Caller,
) -> Iterable[Deed]:
    """Yield an entry of the audit log for each setting, without secrets and content."""
    old, new = values_of(before.settings), values_of(after.settings)
    for path in dict.fromkeys((*values, *reset)):
        option = option_of(path)
        assert option is not None  # noqa: S101 (it was looked for)
        if option.is_secret:
            detail: dict[str, object] = {"value": _SECRET}
        else:
            detail = {
                name: shown(option, known[path])[0] if path in known else ""
                for name, known in (("before", old), ("value", new))
            }
        action = _CHANGE if path in values else _RESET
        yield Deed(caller.actor, caller.address, action, path, detail)


TUNER = web.AppKey("tuner", Tuner)


async def following(app: web.Application) -> AsyncIterator[None]:
    """Keep the settings of ``app`` in step with the stored ones between startup and cleanup."""
    if LEDGER not in app:
        yield
        return
    tuner, engines = app[TUNER], app[LEDGER].engines
    tuner.table = SettingsTable(engines, Audit(engines))
    try:
        await tuner.load()
    except (SQLAlchemyError, OSError) as error:
        _log.warning("%s", problem("settings", f"cannot be read: {words_of(error)}", ADMIN))
    task = asyncio.create_task(Follower(tuner.load, "settings").keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
