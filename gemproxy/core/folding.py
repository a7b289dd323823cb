"""Text as two tellings of it are compared: *folded*.

A run of whitespace is one space, variants of quotes and of dashes are one character. Offsets
are always those of the raw text, so what is found folded is cut to the code point.
"""

from collections.abc import Iterable, Iterator
from itertools import takewhile

_VARIANTS = {
    "'": "\u2018\u2019\u201a\u201b\u02bc\u2032\uff07",
    '"': "\u201c\u201d\u201e\u201f\u2033\uff02",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d",
}
ALIKE = {variant: plain for plain, variants in _VARIANTS.items() for variant in variants}
ALIKE_TABLE = str.maketrans(ALIKE)


def fold(chars: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the folded characters, each with the offset of the first raw one it stands for."""
    before = ""
    for offset, char in enumerate(chars):
        plain = " " if char.isspace() else ALIKE.get(char, char)
        if plain != " " or before != " ":
            yield offset, plain
        before = plain


def common_length(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
