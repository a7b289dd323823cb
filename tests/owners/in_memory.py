"""An OwnerStore in memory, as the one on disk behaves."""

from collections.abc import Collection, Iterable, Sequence

import attrs

from gemproxy.owners.owner import Owner


@attrs.define(eq=False)
class InMemory:
    """Keeps owners; ``reads`` counts the calls of ``find``."""

    owners: dict[str, Owner] = attrs.field(factory=dict)
    reads: int = 0
    writes: int = 0

    async def find(self, names: Collection[str]) -> Sequence[Owner]:
        self.reads += 1
        return [self.owners[name] for name in names if name in self.owners]

    async def add(self, owners: Iterable[Owner]) -> None:
        for owner in owners:
            self.writes += 1
            known = self.owners.get(owner.name)
            same = known and (known.project, known.caller) == (owner.project, owner.caller)
            if known is None or not known.caller or same:
                self.owners[owner.name] = owner

    async def forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.owners.pop(name, None)

    async def made_by(self, caller: str, collection: str) -> Sequence[Owner]:
        return [
            owner
            for owner in self.owners.values()
            if owner.caller == caller and owner.name.split("/")[-2] == collection
        ]
