"""The spellings of an echo: the ways in which a model can repeat the anchor.

Each spelling is a rule that generates attempts from a seed: other texts, another language or verb
of the preamble, another mark. A rule chooses a text in which its difference shows (bold words, a
list, an umlaut), cuts it, and spells the echo of the anchor in its way; the right join is exactly
the text after the cut. A spelling counts as recognised if all its variants join exactly.
"""

import html
import random
import unicodedata
from collections.abc import Callable, Mapping

import attrs

from bench.figures import lines_of
from bench.seams.joining import anchor_of, join
from bench.seams.texts import KINDS, Rng, clause, sentence, words
from bench.seams.vocabulary import CHINESE, ENGLISH, GERMAN, HEBREW, SPANISH, TRADITIONAL

FAIR = 24
"""Characters, without blanks, of an anchor that is certainly distinctive."""

SHARE = 0.3
"""Words of a text that show the difference, if not all do."""

TRIES = 400
"""Texts that are tried before a rule counts as having no further variant."""


@attrs.frozen
class Broken:
    """A text cut in two, and the anchor that the attempt was asked to begin with."""

    delivered: str
    rest: str
    anchor: str


Spell = Callable[[Broken, Rng], str | None]
"""Return the attempt, None if the text does not allow the spelling."""

Write = Callable[[Rng], str]


@attrs.frozen
class Spelling:
    """A rule: ``write`` makes a text, ``spell`` the attempt for it.

    ``inside``: the cut must be inside a word.
    """

    name: str
    spell: Spell
    write: Write
    inside: bool = False

    def variant(self, rng: Rng) -> tuple[Broken, str]:
        """Return a cut text and the attempt for it."""
        for _ in range(TRIES):
            broken = _cut(self.write(rng), rng, inside=self.inside)
            attempt = None if broken is None else self.spell(broken, rng)
            if broken is not None and attempt is not None:
                return broken, attempt
        raise LookupError(self.name)


def _cut(text: str, rng: Rng, *, inside: bool) -> Broken | None:
    """Return the text with a cut after a long anchor that ends in a letter or sign, or None."""
    cut = rng.randint(min(150, len(text) // 2), len(text) - 20)
    delivered, rest = text[:cut], text[cut:]
    anchor = anchor_of(delivered)
    if anchor is None or anchor != anchor.strip() or len("".join(anchor.split())) < FAIR:
        return None
    in_word = delivered[-1].isalpha() and rest[0].isalpha()
    return Broken(delivered, rest, anchor) if in_word or not inside else None


# --- Texts that show a difference ---------------------------------------------------------


def anything(rng: Rng) -> str:
    """Return a text of prose in some language, or of dialogue or quotations."""
    names = ("English prose", "German prose", "Spanish prose", "Chinese prose", "quotations")
    return KINDS[rng.choice(names)](rng)


def spaced(rng: Rng) -> str:
    """Return prose in a language with spaces."""
    return KINDS[rng.choice(("English prose", "German prose", "Spanish prose"))](rng)


def quoted(rng: Rng) -> str:
    """Return prose with typographic quotation marks and dashes."""
    return " ".join(
        f"\u201c{clause(rng)}\u201d \u2013 {clause(rng)}, it\u2019s {clause(rng)}."
        for _ in range(12)
    )


def bold(rng: Rng) -> str:
    """Return prose with many bold words."""
    return " ".join(
        f"**{word}**" if rng.random() < SHARE else word for word in words(rng, ENGLISH, 120)
    )


def listed(rng: Rng) -> str:
    """Return a list of short items with hyphens."""
    return "\n".join(f"- {clause(rng, least=2, most=5)}" for _ in range(25))


def accented(rng: Rng) -> str:
    """Return words, most of them with accents or umlauts."""
    marked = [word for word in (*GERMAN, *SPANISH) if not word.isascii()]
    return " ".join(rng.choice([*marked, *GERMAN[:8]]) for _ in range(90))


def wide(rng: Rng) -> str:
    """Return Chinese prose with many full-width commas."""
    return "".join("".join(words(rng, CHINESE, 3)) + rng.choice("，，，。：") for _ in range(60))


def hebrew(rng: Rng) -> str:
    """Return Hebrew prose."""
    return " ".join(words(rng, HEBREW, 120))


def with_entities(rng: Rng) -> str:
    """Return prose with characters that HTML escapes."""
    signs = ("&", "<", ">", '"')
    return " ".join(
        f"{word} {rng.choice(signs)}" if rng.random() < SHARE else word
        for word in words(rng, ENGLISH, 120)
    )


def fenced(rng: Rng) -> str:
    """Return code in a fence that is not closed."""
    lines = [f"{'_'.join(words(rng, ENGLISH, 2))} = {clause(rng)!r}" for _ in range(25)]
    return f"{sentence(rng)}:\n\n```python\n" + "\n".join(lines)


# --- The rules ----------------------------------------------------------------------------


def around(*pairs: tuple[str, str]) -> Spell:
    """Return the rule that puts one of the pairs around the echo."""

    def spell(broken: Broken, rng: Rng) -> str | None:
        opening, closing = rng.choice(pairs)
        if opening.strip()[:1] in broken.anchor:
            return None
        return f"{opening}{broken.anchor}{closing}{broken.rest}"

    return spell


def behind(*parts: tuple[str, ...]) -> Spell:
    """Return the rule that puts a preamble of one choice of each part before the echo."""

    def spell(broken: Broken, rng: Rng) -> str:
        lead = "".join(rng.choice(part) for part in parts)
        return f"{lead}{broken.anchor}{broken.rest}"

    return spell


def altered(change: Callable[[str, Rng], str]) -> Spell:
    """Return the rule that changes the anchor itself; an unchanged one is no variant."""

    def spell(broken: Broken, rng: Rng) -> str | None:
        other = change(broken.anchor, rng)
        return None if other == broken.anchor else other + broken.rest

    return spell


def followed(*strays: str) -> Spell:
    """Return the rule that adds a foreign text after the echo."""

    def spell(broken: Broken, rng: Rng) -> str:
        return f"{broken.anchor}{rng.choice(strays)}{broken.rest}"

    return spell


def exactly(broken: Broken, _: Rng) -> str:
    """Repeat the anchor unchanged."""
    return broken.anchor + broken.rest


def more(broken: Broken, rng: Rng) -> str | None:
    """Repeat the anchor with the text before it, from the start of a word."""
    size = len(broken.anchor) + rng.randint(10, 150)
    end = broken.delivered[-size:]
    _, gap, longer = end.partition(" ")
    return longer + broken.rest if gap and len(longer) > len(broken.anchor) else None


def less(broken: Broken, rng: Rng) -> str | None:
    """Repeat an end of the anchor, from the start of a word in the middle of a clause."""
    starts = [at + 1 for at, char in enumerate(broken.anchor[:-20]) if char == " "]
    starts = [at for at in starts if broken.anchor[at - 2].isalpha()]
    if not starts:
        return None
    repeated = broken.anchor[rng.choice(starts) :]
    once = broken.delivered.count(repeated[:12]) == 1
    return repeated + broken.rest if once else None


def whole(broken: Broken, _: Rng) -> str:
    """Repeat the whole text."""
    return broken.delivered + broken.rest


def respaced(anchor: str, rng: Rng) -> str:
    """Replace spaces by line breaks or two spaces."""
    return anchor.replace(" ", rng.choice(["\n", "  ", " \n"]))


def plain_quotes(anchor: str, _: Rng) -> str:
    """Replace typographic quotes and dashes by plain ones."""
    return anchor.translate(str.maketrans("\u201c\u201d\u2019\u2013", '""\'-'))


def without_bold(anchor: str, _: Rng) -> str:
    """Omit the asterisks of bold words, if all of a word's are in the anchor."""
    return anchor.replace("**", "")


def other_marker(anchor: str, rng: Rng) -> str:
    """Replace the hyphens of a list by another marker."""
    other = rng.choice(["* ", "+ ", "\u2022 "])
    lines = anchor.split("\n- ")
    first = other + lines[0][2:] if lines[0].startswith("- ") else lines[0]
    return f"\n{other}".join([first, *lines[1:]])


def other_form(anchor: str, rng: Rng) -> str:
    """Write accents as separate characters (NFD), or composed."""
    return unicodedata.normalize(rng.choice(["NFD", "NFC"]), anchor)


def other_width(anchor: str, _: Rng) -> str:
    """Replace full-width by half-width punctuation."""
    return anchor.translate(str.maketrans("，：", ",:"))


def traditional(anchor: str, _: Rng) -> str:
    """Write traditional characters for simplified ones."""
    return anchor.translate(str.maketrans("".join(TRADITIONAL), "".join(TRADITIONAL.values())))


def sprinkled(*signs: str) -> Callable[[str, Rng], str]:
    """Return the change that inserts an invisible sign into the anchor."""

    def change(anchor: str, rng: Rng) -> str:
        at = rng.randint(1, len(anchor) - 1)
        return anchor[:at] + rng.choice(signs) + anchor[at:]

    return change


def escaped(anchor: str, _: Rng) -> str:
    """Write &, <, > and quotes as HTML entities."""
    return html.escape(anchor)


def other_case(anchor: str, _: Rng) -> str:
    """Begin with the other case, as a sentence or the middle of one."""
    return anchor[0].swapcase() + anchor[1:]


def quoted_as_block(anchor: str, _: Rng) -> str:
    """Put every line of the anchor into a block quotation, and end it."""
    return "> " + anchor.replace("\n", "\n> ")


def in_block(broken: Broken, rng: Rng) -> str | None:
    """Repeat the anchor as a block quotation, a paragraph of its own."""
    if ">" in broken.anchor:
        return None
    return f"{quoted_as_block(broken.anchor, rng)}{rng.choice([chr(10), chr(10) * 2])}{broken.rest}"


_GERMAN = (
    ("Natürlich", "Gerne", "Klar", "Selbstverständlich", "Alles klar", "Okay"),
    (", hier ", ", ich mache hier ", "! Hier "),
    ("geht es weiter", "kommt die Fortsetzung", "folgt der Rest", "setze ich fort"),
    (":\n\n", ":\n", ".\n\n"),
)
_SPANISH = (
    ("Claro", "Por supuesto", "De acuerdo", "Perfecto", "Entendido", "\u00a1Claro que sí!"),
    (", ", ". "),
    ("continúo desde donde lo dejé", "aquí está la continuación", "sigo"),
    (":\n\n", ":\n", ".\n\n"),
)
_JAPANESE = (
    (
        "もちろんです。",
        "はい、",
        "承知しました。",
        "",
    ),
    (
        "以下は続きです",
        "続きを書きます",
        "中断したところから続けます",
    ),
    ("：\n\n", "。\n\n", "：\n"),
)
_UNFORESEEN = (
    ("Right", "Fair enough", "Happy to help", "Good point", "Thanks for letting me know"),
    (". ", "! ", " \u2013 "),
    ("This is where we were", "My last words were these", "The text picks up here", "Here goes"),
    (":\n\n", ":\n", ".\n\n"),
)
_ENGLISH = (
    ("Sure", "Certainly", "Of course", "Okay", "Absolutely"),
    (", ", "! "),
    ("here is the continuation", "continuing where I left off", "here's the rest"),
    (":\n\n", ":\n", ": ", "...\n\n"),
)
_CHINESE = (
    ("好的，", "当然，", "没问题，", "抱歉，"),
    ("接着上文", "以下是后续内容", "继续"),
    ("：\n", "：", "：\n\n"),
)
_NEW_FENCES = (
    ("```\n", "\n```\n"),
    ("```text\n", "\n```\n\n"),
    ("~~~\n", "\n~~~\n"),
    ("```markdown\n", "\n```\n\n"),
)

SPELLINGS = (
    Spelling("exact", exactly, anything),
    Spelling("more than the anchor", more, spaced),
    Spelling("an end of the anchor", less, spaced),
    Spelling("the whole text", whole, anything),
    Spelling("other whitespace", altered(respaced), spaced),
    Spelling("plain quotes and dashes", altered(plain_quotes), quoted),
    Spelling("behind an English preamble", behind(*_ENGLISH), anything),
    Spelling("behind a Chinese preamble", behind(*_CHINESE), anything),
    Spelling(
        "behind a bold preamble", behind(("**Continuing:**", "**Continued:**"), ("\n\n",)), spaced
    ),
    Spelling("behind dots", behind(("...", "\u2026", "... ", "\n\u2026 ")), anything),
    Spelling("behind blank lines", behind(("\n", "\n\n", " ", "\n\n  ")), anything),
    Spelling("in plain quotes", around(('"', '"'), ("'", "'")), spaced),
    Spelling(
        "in typographic quotes",
        around(("\u201c", "\u201d"), ("\u00ab", "\u00bb"), ("\u300c", "\u300d")),
        spaced,
    ),
    Spelling("in backticks", around(("`", "`"), ("``", "``")), spaced),
    Spelling("in our marks", around(("<<<", ">>>"), ("<<", ">>")), anything),
    Spelling("in brackets", around(("[[[", "]]]"), ("[[", "]]")), anything),
    Spelling("the fence opened again", behind(("```python\n", "```\n", "~~~py\n")), fenced),
    Spelling("behind a German preamble", behind(*_GERMAN), anything),
    Spelling("behind a Spanish preamble", behind(*_SPANISH), anything),
    Spelling("behind a Japanese preamble", behind(*_JAPANESE), anything),
    Spelling("behind unforeseen English", behind(*_UNFORESEEN), anything),
    Spelling("in a fence of its own", around(*_NEW_FENCES), anything),
    Spelling("in a block quotation", in_block, anything),
    Spelling("in bold", around(("**", "**"), ("__", "__")), spaced),
    Spelling("without its bold", altered(without_bold), bold),
    Spelling("another list marker", altered(other_marker), listed),
    Spelling("another normal form", altered(other_form), accented),
    Spelling("half-width punctuation", altered(other_width), wide),
    Spelling("traditional characters", altered(traditional), wide),
    Spelling("a zero-width mark inside", altered(sprinkled("\u200b", "\u2060", "\ufeff")), spaced),
    Spelling("a direction mark inside", altered(sprinkled("\u200e", "\u200f")), hebrew),
    Spelling("HTML entities", altered(escaped), with_entities),
    Spelling("a line break behind, in mid-word", followed("\n", "\n\n"), spaced, inside=True),
    Spelling("a space behind, in mid-word", followed(" ", "  "), spaced, inside=True),
    Spelling("the first letter in another case", altered(other_case), spaced),
)
"""Thirty-five of them."""


def measure(variants: int, seed: int) -> Mapping[str, int]:
    """Return for each spelling the number of variants that were joined exactly."""
    found = {}
    for spelling in SPELLINGS:
        rng = random.Random(f"{seed}:{spelling.name}")
        found[spelling.name] = sum(is_exact(spelling, rng) for _ in range(variants))
    return found


def is_exact(spelling: Spelling, rng: Rng) -> bool:
    """Return whether a fresh variant of the spelling is joined exactly."""
    broken, attempt = spelling.variant(rng)
    joined = join(broken.delivered, attempt, broken.anchor)
    return joined.text == broken.delivered + broken.rest


def report(found: Mapping[str, int], variants: int) -> list[str]:
    """Return the table as lines."""
    recognised = sum(exact == variants for exact in found.values())
    rows = [[name, f"{exact} of {variants}"] for name, exact in found.items()]
    total = [f"recognised: {recognised} of {len(found)}", f"{sum(found.values())} variants"]
    return lines_of([["spellings of an echo", "exact"], *rows, total])
