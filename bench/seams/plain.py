"""Texts with nothing to drop, cut where their rest looks like text that is dropped.

Answers quote, repeat lines, have refrains, begin a paragraph with "Sure," or "Of course", show
prompts (``>>>``) and conflict marks. An attempt that continues with such text must be shown to its
last character, and one that echoes the anchor first must lose only the anchor. Texts that begin
with the whole anchor are excluded, because they equal an echo.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping

import attrs

from bench.figures import lines_of
from bench.seams.joining import anchor_of, join
from bench.seams.joins import squeezed
from bench.seams.texts import Rng, clause, prose, sentence, words
from bench.seams.vocabulary import ENGLISH, NAMES

LOOKED_FOR = range(12, 80)
"""Lengths of a passage at the cut that repeats the end of the text."""

TRIES = 200

Parts = tuple[str, str]
"""A delivered text and its rest."""

Family = Callable[[Rng], Parts | None]


@attrs.frozen
class Found:
    """For each family, the number of texts joined exactly, with losses, and refused."""

    exact: Counter[str] = attrs.field(factory=Counter)
    lost: Counter[str] = attrs.field(factory=Counter)
    refused: Counter[str] = attrs.field(factory=Counter)


def _row(rng: Rng) -> str:
    return f"| {' | '.join(rng.choices(['yes', 'no', 'n/a', '10'], k=3))} |"


def _values(rng: Rng) -> str:
    return ",".join(rng.choices(["open", "paid", "10.00", "EUR"], k=4))


def _entry(rng: Rng) -> str:
    return f"12:00:0{rng.randint(0, 1)} INFO {rng.choice(['request done', 'cache miss'])}"


def _object(rng: Rng) -> str:
    return f'{{"ok": {rng.choice(["true", "false"])}, "count": {rng.randint(0, 2)}, "tags": []}}'


def _item(rng: Rng) -> str:
    return f"- {rng.choice(['buy', 'sell'])} {rng.choice(['apples', 'oranges'])} at the market"


def _statement(rng: Rng) -> str:
    return rng.choice(
        [
            "    return None",
            "        raise NotImplementedError",
            "    if value is None:",
            '    print("working on it ...")',
        ]
    )


def aimed(line: Callable[[Rng], str]) -> Family:
    """Return the family of similar lines, cut where the rest begins as the text ends."""

    def family(rng: Rng) -> Parts | None:
        lines = "\n".join(line(rng) for _ in range(rng.randint(8, 40)))
        text = f"{prose(rng)[: rng.randint(40, 300)]}:\n\n{lines}\n"
        cuts = [cut for cut in range(20, len(text) - 20) if _comes_again(text, cut)]
        cut = rng.choice(cuts) if cuts else 0
        return (text[:cut], text[cut:]) if cut else None

    return family


def _comes_again(text: str, cut: int) -> bool:
    return any(text[cut - size : cut] == text[cut : cut + size] for size in LOOKED_FOR)


def opened(*openings: str) -> Family:
    """Return the family of prose that continues with an opening, after a line or inside."""

    def family(rng: Rng) -> Parts:
        delivered = prose(rng)[: rng.randint(100, 600)].rstrip()
        gap = rng.choice([".\n\n", ".\n", ": ", " ", ".\n\n- "])
        rest = f"{rng.choice(openings)}{clause(rng)}.\n{prose(rng)}"
        place = rng.randint(0, len(gap))
        return delivered + gap[:place], gap[place:] + rest

    return family


def refrain(rng: Rng) -> Parts:
    """Return a song cut where one or two lines come again at once."""
    line, other = f"{sentence(rng)},", f"{sentence(rng)}."
    unit = rng.choice([f"{line}\n", f"{line}\n{other}\n", f"{clause(rng, least=1, most=2)} "])
    before = f"{prose(rng)[: rng.randint(80, 400)]}\n\n"
    times = rng.randint(1, 3)
    return before + unit * times, unit * rng.randint(1, 3) + prose(rng)


def rows(rng: Rng) -> Parts:
    """Return a table cut after a row; the next row begins as the last one ends."""
    cells = [rng.choice(["yes", "no", "n/a", "10", "20"]) for _ in range(3)]
    row = "| " + " | ".join([rng.choice(NAMES), *cells]) + " |"
    alike = f"{row[len(row) - rng.randint(12, 18) :].strip()}"
    alike = alike if alike.startswith("|") else f"| {alike}"
    before = f"{sentence(rng)}:\n\n| a | b | c | d |\n|---|---|---|---|\n"
    lines = "".join(
        f"| {rng.choice(NAMES)} | {rng.randint(1, 99)} | no | yes |\n" for _ in range(6)
    )
    delivered = before + lines + row
    return delivered, f"\n{alike} {rng.choice(NAMES)} |\n{lines}"


def prompts(rng: Rng) -> Parts:
    """Return an interpreter's session cut before a prompt."""
    steps = [
        f">>> {'_'.join(words(rng, ENGLISH, 2))}({rng.randint(1, 99)})\n{clause(rng)}\n"
        for _ in range(rng.randint(4, 12))
    ]
    shown = rng.randint(2, len(steps) - 1)
    return f"{sentence(rng)}:\n\n```\n" + "".join(steps[:shown]), "".join(steps[shown:]) + "```\n"


def conflict(rng: Rng) -> Parts:
    """Return a merge conflict cut before its closing mark."""
    ours = "\n".join(f"{clause(rng)};" for _ in range(rng.randint(2, 6)))
    delivered = f"{sentence(rng)}:\n\n<<<<<<< HEAD\n{ours}\n=======\n{clause(rng)};\n"
    return delivered, f">>>>>>> feature\n{clause(rng)};\n"


def tags(rng: Rng) -> Parts:
    """Return markup cut before a closing tag."""
    names = words(rng, ENGLISH, 3)
    inner = "\n".join(f"  <{name}>{clause(rng)}</{name}>" for name in names * 3)
    return f"<reply_so_far>\n{inner}", f"\n</reply_so_far>\n\n{sentence(rng)}."


def echoed_question(rng: Rng) -> Parts:
    """Return a dialogue in which the last words are asked back."""
    last = clause(rng, least=4, most=6)
    delivered = f"{prose(rng)[: rng.randint(80, 300)]}, and then he said that {last}"
    return delivered, f'. "{last}?" she asked. "{last.upper()}?"\n{prose(rng)}'


def escapes(rng: Rng) -> Parts:
    """Return prose about markup, cut before an escape."""
    delivered = f"{prose(rng)[:200]} writes &lt;{clause(rng)}"
    return delivered, f"&gt; and &amp;{clause(rng)}; \u200b{clause(rng)}. {prose(rng)}"


POLITE = (
    *("Sure, ", "Sure, here is the continuation:\n\n", "Of course. ", "Certainly! ", "OK: "),
    *("Here is the rest of it: ", "Here's what we know:\n", "Continuing from where I left off, "),
    *("I'm sorry for the confusion. ", "Apologies for the delay:\n", "Understood.\n"),
    *(
        "好的，接着上文：",
        "以下是：\n",
        "继续\n",
    ),
    *(
        "Natürlich, hier geht es weiter:\n",
        "Claro, continúo:\n\n",
        "以下は続きです：\n",
    ),
)
SIGNS = (
    "...",
    "\u2026 ",
    '"',
    "\u201c",
    "`",
    "**",
    "> ",
    "<<<",
    "[[",
    ">>> ",
    "* ",
    "1. ",
    "\u00ab",
)
FENCES = ("```python\n", "```\n", "~~~\n", "\n```js\n")

FAMILIES: Mapping[str, Family] = {
    "polite openings": opened(*POLITE),
    "signs": opened(*SIGNS),
    "fences": opened(*FENCES),
    "refrains": refrain,
    "rows alike": rows,
    "prompts": prompts,
    "merge conflicts": conflict,
    "closing tags": tags,
    "words asked back": echoed_question,
    "escapes": escapes,
    "table rows": aimed(_row),
    "values": aimed(_values),
    "log entries": aimed(_entry),
    "JSON lines": aimed(_object),
    "items": aimed(_item),
    "statements": aimed(_statement),
}


def draw(family: Family, rng: Rng) -> Parts:
    """Return a text of the family whose rest does not begin with the whole anchor."""
    for _ in range(TRIES):
        parts = family(rng)
        if parts is not None and not _is_echo(*parts):
            return parts
    raise LookupError(family)


def _is_echo(delivered: str, rest: str) -> bool:
    asked = squeezed(anchor_of(delivered) or delivered)
    return squeezed(rest).startswith(asked)


def measure(texts: int, seed: int, families: Mapping[str, Family] = FAMILIES) -> Found:
    """Return the outcomes of ``texts`` texts, each continued with and without an echo."""
    found = Found()
    names = list(families)
    for number in range(texts):
        name = names[number % len(names)]
        delivered, rest = draw(families[name], random.Random(f"{seed}:{number}"))
        anchor = anchor_of(delivered)
        for echo in ("", anchor) if anchor else ("",):
            joined = join(delivered, echo + rest, anchor)
            if joined.text is None:
                found.refused[name] += 1
            elif len(joined.text) < len(delivered + rest):
                found.lost[name] += 1
            else:
                found.exact[name] += joined.text == delivered + rest
    return found


def report(found: Found) -> list[str]:
    """Return the table as lines."""
    head = ["texts with nothing to drop", "exact", "lost", "refused"]
    counters = (found.exact, found.lost, found.refused)
    body = [[name, *(str(counter[name]) for counter in counters)] for name in FAMILIES]
    return lines_of([head, *body, ["all", *(str(counter.total()) for counter in counters)]])
