"""Names of functions, both ways: Gemini refuses many that OpenAI's clients use.

A name that Gemini takes stays as it is. Any other one loses its foreign characters and gets a hash
of itself, so its form depends on nothing but the name: it is the same in the next request, which
keeps the prefix that Gemini caches. Only if that form is the proper name of another function, the
next hash of a series is taken.

Source: a name begins with a letter or underscore and has letters, digits, underscores, dots, colons
and dashes (https://ai.google.dev/api/caching#FunctionDeclaration). Its most characters were 64 once
and are 128 in newer messages; 64 pass everywhere.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping

import attrs

_MOST = 64
_FINE = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_FOREIGN = re.compile(r"[^A-Za-z0-9_.:-]+")
_DIGITS = 8
_SURROGATE = "surrogatepass"  # half a pair is a string in JSON, too


@attrs.frozen
class Names:
    """The names of one request's functions: the client's and Gemini's."""

    _up: Mapping[str, str]
    _down: Mapping[str, str]

    @classmethod
    def of(cls, names: Iterable[str]) -> "Names":
        """Return the mapping for these names of the client's, in any order, with repetitions."""
        known = set(names)
        taken = {name: name for name in known if _FINE.fullmatch(name)}
        for name in sorted(known - taken.keys()):
            number = 0
            while (made := _made(name, number)) in taken:
                number += 1
            taken[made] = name
        return cls({theirs: made for made, theirs in taken.items()}, taken)

    @property
    def changed(self) -> Mapping[str, str]:
        """The client's name by Gemini's, for the functions that have two."""
        return {made: theirs for made, theirs in self._down.items() if made != theirs}

    def up(self, name: str) -> str:
        """Return Gemini's name of the client's function."""
        found = self._up.get(name)
        if found is not None:
            return found
        return name if _FINE.fullmatch(name) else _made(name)

    def down(self, name: str) -> str:
        """Return the client's name; one that the model made up stays as it is."""
        return self._down.get(name, name)


def _made(name: str, number: int = 0) -> str:
    series = f"{number}:" if number else ""
    digest = hashlib.sha256(f"{series}{name}".encode(errors=_SURROGATE)).hexdigest()[:_DIGITS]
    kept = _FOREIGN.sub("_", name).strip("_.:-") or "tool"
    if not kept[0].isalpha():
        kept = f"_{kept}"
    return f"{kept[: _MOST - 1 - _DIGITS]}_{digest}"
