"""What the checks look at: the settings as far as they can be used, and the world around."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Self

import attrs
from yarl import URL

from gemproxy.config.operators import mode_of, operators_keys, with_stored
from gemproxy.config.settings import Settings
from gemproxy.config.starting import access_keys
from gemproxy.doctor.asking import Seen, see
from gemproxy.pool.key import Key
from gemproxy.store.peeking import peek_at_disabled, peek_at_keys
from gemproxy.store.unusable import Unusable


@attrs.frozen
class Problem:
    """One refusal of a start: the setting, the sentence about it, and where its value is from."""

    setting: str
    why: str
    origin: str

    @classmethod
    def of(cls, line: str) -> "Problem":
        """Return the problem in a line that ``config.sources.problem`` made."""
        rest, found, origin = line.rpartition(" (from ")
        if not found:
            return cls("", line, "")
        setting, colon, why = rest.partition(": ")
        return cls(setting if colon else "", why if colon else rest, origin.removesuffix(")"))


@attrs.frozen
class Stored:
    """The keys in the data directory, with the number of damaged ones, or why there are none.

    ``disabled`` are the fingerprints of all keys that an operator disabled, those of the settings
    included.
    """

    keys: Sequence[Key] = ()
    damaged: int = 0
    disabled: frozenset[str] = frozenset()
    unusable: str = ""
    setting: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the stored keys of a proxy with a pool. Blocks."""
        if settings.pool.mode == "passthrough":
            return cls()
        server = settings.server
        try:
            keys, damaged = peek_at_keys(Path(server.data_dir), server.secret_key)
            disabled = peek_at_disabled(Path(server.data_dir))
        except Unusable as error:
            return cls(unusable=str(error), setting=error.setting)
        return cls(keys, damaged, disabled)


@attrs.define(eq=False)
class Case:
    """One run. ``wrong`` has the settings whose values cannot be used: they have their defaults.

    ``now`` is the Unix clock (s). ``url`` is the address of the proxy for its clients, None if
    nobody named one.
    """

    settings: Settings
    origins: Mapping[str, str]
    stored: Stored = Stored()
    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    wrong: AbstractSet[str] = frozenset()
    environ: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    url: URL | None = None
    offline: bool = False
    now: Callable[[], float] = time.time
    _seen: "asyncio.Task[Seen] | None" = attrs.field(default=None, init=False)

    @property
    def mode(self) -> str:
        """Who brings the key: passthrough, pool or both."""
        return mode_of(self.settings, stored=bool(self.stored.keys or self.stored.unusable))

    @property
    def pooled(self) -> bool:
        """Whether keys of the operator serve."""
        return self.mode != "passthrough"

    @property
    def keys(self) -> tuple[Key, ...]:
        """All keys of the operator."""
        given = operators_keys(self.settings)
        return with_stored(given, self.stored.keys, self.settings.pool.proxies)

    @property
    def enabled_keys(self) -> tuple[Key, ...]:
        """Those of them that are not disabled."""
        return tuple(key for key in self.keys if key.name not in self.stored.disabled)

    @property
    def access_keys(self) -> Mapping[str, str]:
        """The access keys of the settings by name."""
        return access_keys(self.settings.access.keys, self.settings.access.password)

    @property
    def data_dir(self) -> Path:
        """The data directory, which need not exist."""
        return Path(self.settings.server.data_dir)

    @property
    def base(self) -> URL:
        """The base URL of the upstream."""
        return URL(self.settings.upstream.url_base)

    async def seen(self) -> Seen:
        """Return what came of asking the upstream without a key, which is done once."""
        if self._seen is None:
            self._seen = asyncio.create_task(
                see(self.base, self.settings.upstream.proxy, self.environ, self.now)
            )
        return await asyncio.shield(self._seen)

    async def close(self) -> None:
        """End a request that nobody waits for any more."""
        if self._seen is not None:
            self._seen.cancel()
            await asyncio.gather(self._seen, return_exceptions=True)
