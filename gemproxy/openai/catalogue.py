"""The list of models as clients of OpenAI see it, beside the one of Gemini's.

Both kinds of clients request ``/v1/models``. Each entry gets the fields of both, and the list both
names, ``models`` and ``data``; each SDK reads its own and ignores the rest. Google gives no time of
creation. A tuned model keeps its collection in its id, ``tunedModels/mine``.

Names that only this proxy knows, aliases and names with suffixes, are in ``data`` alone: Gemini's
methods do not take them. An alias whose model is in no list is shown, too.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from gemproxy.shaping.suffix import listed

Json = dict[str, Any]

_GENERATES = frozenset({"generateContent", "streamGenerateContent"})


def merged(model: Mapping[str, Any]) -> Json:
    """Return an entry of Gemini's with OpenAI's fields."""
    name = str(model.get("name", "")).removeprefix("models/")
    return {**_entry(name), **model}


@attrs.frozen
class Catalogue:
    """The models of the upstream: entries of Gemini's, in its order."""

    models: tuple[Json, ...]

    def find(self, name: str) -> Json | None:
        """Return the merged entry of a model, None if it is not in the list."""
        entries = map(merged, self.models)
        return next((entry for entry in entries if entry["id"] == name), None)

    def of(self, is_shown: Callable[[str], bool]) -> "Catalogue":
        """Return the models whose names pass."""
        return Catalogue(tuple(one for one in self.models if is_shown(str(one.get("name", "")))))

    def told(
        self, aliases: Iterable[str], rest: Mapping[str, Any], *, suffixes: bool = False
    ) -> Json:
        """Return the list for both kinds of clients; ``rest`` are further fields of Gemini's.

        ``aliases`` are shown, too, and with ``suffixes`` the names that ask for more.
        """
        entries = [merged(model) for model in self.models]
        named = {entry["id"] for entry in entries}
        own = [alias for alias in aliases if alias not in named]
        if suffixes:
            own += listed(entry["id"] for entry in entries if _generates(entry))
        data = [*entries, *map(_entry, own)]
        return {"object": "list", "data": data, **rest, "models": entries}


@attrs.define
class Shelf:
    """Keeps the last whole list that came."""

    last: Catalogue | None = None

    def keep(self, catalogue: Catalogue) -> None:
        """Keep a list."""
        self.last = catalogue


def pages_joined(pages: Iterable[Mapping[str, Any]]) -> Catalogue:
    """Return the models of all pages; one that is there twice counts once."""
    models: dict[str, Json] = {}
    for page in pages:
        for model in page.get("models") or ():
            if isinstance(model, dict):
                models.setdefault(str(model.get("name", "")), model)
    return Catalogue(tuple(models.values()))


def _entry(name: str) -> Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": "google"}


def _generates(entry: Mapping[str, Any]) -> bool:
    """Return whether a model answers chats; one that does not say may."""
    methods = entry.get("supportedGenerationMethods")
    return not isinstance(methods, list) or not _GENERATES.isdisjoint(methods)
