"""All cases in the order of their trials; each tests one assumption."""

from collections.abc import Iterable, Sequence

from gemproxy.core.repair.continuation import Form
from gemproxy.probe import prompts, tools, trials
from gemproxy.probe.bench import Case
from gemproxy.probe.cutting import Place

TOKENS_PER_REQUEST = 400
"""Tokens of a typical request's prompt and output, without thoughts, for the estimate."""


def _story(subject: str) -> str:
    return prompts.PROSE.format(subject)


_SEAMS = (
    Case(
        "echo-before-space",
        "the anchor is repeated, cut behind a word",
        2,
        trials.echo(_story("a lighthouse keeper"), Place.BEFORE_SPACE),
    ),
    Case(
        "echo-after-space",
        "the same, cut before a word",
        2,
        trials.echo(_story("a night train"), Place.AFTER_SPACE),
    ),
    Case(
        "echo-mid-word",
        "the same, cut inside a word",
        2,
        trials.echo(_story("a clockmaker"), Place.MID_WORD),
    ),
    Case(
        "echo-code",
        "the same, cut inside a code fence",
        2,
        trials.echo(prompts.CODE, Place.CODE_LINE),
    ),
    Case(
        "echo-chinese",
        "the same, in Chinese",
        2,
        trials.echo(prompts.CHINESE, Place.CHINESE),
    ),
    Case(
        "plain-before-space",
        "no anchor, cut behind a word: is the space lost?",
        2,
        trials.continued(_story("a beekeeper"), Place.BEFORE_SPACE, None),
        relied_on=False,
    ),
    Case(
        "plain-after-space",
        "no anchor, cut before a word: is the space doubled?",
        2,
        trials.continued(_story("a ferry in the fog"), Place.AFTER_SPACE, None),
        relied_on=False,
    ),
    Case(
        "plain-mid-word",
        "no anchor, cut inside a word: is it finished?",
        2,
        trials.continued(_story("a mountain hut"), Place.MID_WORD, None),
        relied_on=False,
    ),
    Case(
        "prefill",
        "a trailing model turn is accepted",
        2,
        trials.continued(_story("a bakery at dawn"), Place.MID_WORD, Form.PREFILL),
        relied_on=False,
    ),
    Case(
        "quoted",
        "the text so far in a user turn, with the anchor",
        2,
        trials.echo(_story("an old map"), Place.BEFORE_SPACE, Form.QUOTED),
        relied_on=False,
    ),
)

_TOOLS = (
    Case("tools", "an answer cut before its function call makes it", 2, tools.call),
    Case(
        "signatures",
        "where calls must be signed, the resumed one is",
        1,
        tools.signatures,
        needs=("tools",),
    ),
    Case(
        "function-response",
        "an answer to a functionResponse can be resumed",
        2,
        tools.function_response,
        needs=("tools",),
    ),
)

CASES = (
    Case("wire", "what a whole stream looks like", 1, trials.wire),
    *_SEAMS,
    Case("thoughts", "the lowered limit has room after thoughts", 2, trials.thoughts),
    *_TOOLS,
    Case("json", "a document that was cut can be completed", 2, trials.document),
    Case(
        "native",
        "with a continuationToken the same text comes again",
        2,
        trials.native,
        needs=("wire",),
    ),
)


def selected(wanted: Sequence[str]) -> list[Case]:
    """Return the cases that ``wanted`` names, with the cases that they need; all if it is empty.

    A name is a case's own or its first word ("echo"). Raises ValueError if none fits.
    """
    names = {case.name for case in CASES if not wanted}
    for name in wanted:
        fitting = [c for c in CASES if c.name == name or c.name.startswith(f"{name}-")]
        if not fitting:
            raise ValueError(f"no such case; there are {', '.join(_names(CASES))}")
        names.update(_names(fitting), *(case.needs for case in fitting))
    return [case for case in CASES if case.name in names]


def _names(cases: Iterable[Case]) -> list[str]:
    return [case.name for case in cases]
