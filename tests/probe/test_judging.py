"""Seams, one flaw each."""

import pytest

from gemproxy.core.seam.seam import Joint
from gemproxy.probe.judging import Echo, Seam, echo_of, flaw_of

TOLD = "The keeper had one rule: the lamp is never left alone, not for an hour"


@pytest.mark.parametrize(
    ("delivered", "ahead", "attempt"),
    [
        (TOLD, " and not for a", " and never at night."),
        (TOLD, " and not for a", ", she said."),
        (TOLD, " and not for a", ". Then she slept."),
        (TOLD + " ", "and not for a", "or a minute."),
        (TOLD[:-3], "our and not for", "our, she said."),
        ("def f(x):", "\n    return x + 1", "\n    # done\n    return x"),
        ("def f(x):", "\n    return x + 1", "\n\n    return x"),
        ("山里的邮", "差每天清晨五点", "差天不亮就"),
        (TOLD, " and", " sure about nothing at all"),
        ("He said:", " Sure:\nno", " Sure: he was.\n"),
        (TOLD[:-3], "ou", "ours, and"),  # the rest of the word is not known
        ("Dear Sir,\n", "I'm sorry that", "I am sorry to say that"),
        ("vector<vector<int", ">> rows;", ">> columns;"),
        ("Well, I am", " sorry to", " sorry to hear it, he said."),
        ("A | B\n--|--\n", "a long row of the table | b\n", "a long row of the table | c\n"),
        ("It quotes: the connection broke and I did", " not get", " not get the end of it."),
        ("```\nx = compute(a, b, c, d, e, f)\ny = 1", "\nz", "\nx = compute(a, b, c, d, e, f)"),
        ("He said", ": here", ": here's the thing."),
        ("The end of your", " reply", " reply did not come, and it goes on with a new one."),
    ],
)
def test_a_good_seam_has_no_flaw(delivered: str, ahead: str, attempt: str) -> None:
    assert flaw_of(Seam(delivered, ahead, attempt)) is None


@pytest.mark.parametrize(
    ("delivered", "ahead", "attempt", "flaw"),
    [
        (TOLD, " and not", "", "nothing new came"),
        (TOLD, " and not", " \n", "nothing new came"),
        (TOLD, " and not", "and not", "the space was lost"),
        (TOLD, " and not", "  and not", "the space was doubled"),
        (TOLD, " and not", "\n\nand not", "a line break came instead of the space"),
        (TOLD + " ", "and not", " and not", "the space was doubled"),
        (TOLD[:-3], "our and not", " our and", "a space was put in"),
        (TOLD[:-3], "our and not", "hour and", "the word was begun again"),
        (TOLD[:-3], "our and not", "minute and", "the word goes on differently"),
        (TOLD[:-3], "our and not", ", and", "the word goes on differently"),
        ("def f(x):", "\n    return x", "    return x", "the line break was lost"),
        ("山里的邮", "差每天", " 差每天", "a space was put in"),
        (TOLD, " and not", TOLD + " and not", "the answer starts over"),
        (TOLD, " and not", " " + TOLD[-30:] + " and", "the last 30 characters come again"),
        (TOLD, " and not", "Sure, here it goes:\n and not", "a preamble at the seam"),
        (TOLD, " and not", "好的，接着写：and", "a preamble at the seam"),
        ("```python\nx = 1", "\ny = 2", "```python\ny = 2", "a code fence opened at the seam"),
        (TOLD, " and not", " I'm sorry for the confusion.", "an apology at the seam"),
        (TOLD, " and not", "\n\nI apologize for that. And", "an apology at the seam"),
        (TOLD, " and not", "Apologies, I was away.", "an apology at the seam"),
        ("山里的邮", "差每天", "很抱歉，差每天", "an apology at the seam"),
        (TOLD, " and not", "\nHere\u2019s a revised version:\nand", "a preamble at the seam"),
        (TOLD, " and not", ">>\n and not", "a mark of the notice at the seam"),
        (TOLD, " and not", "\n>>>>>>", "a mark of the notice at the seam"),
        (TOLD, " and not", "]]] and not", "a mark of the notice at the seam"),
        (TOLD, " and not", "\u27e7 and not", "a mark of the notice at the seam"),
        (TOLD, " and not", "\n</reply_so_far>\n\nand", "a mark of the notice at the seam"),
        (TOLD, " and not", " and no.\n</reply_so_far>", "a mark of the notice at the seam"),
        (TOLD, " and not", " had one rule: the lamp is never left", "an earlier place comes again"),
        (
            TOLD,
            " and not",
            " and I did not get the end of your last reply.",
            "words of the notice at the seam",
        ),
        (
            "山里的邮",
            "差每天",
            "差说：语言和格式不变，就像从未中断一样",
            "words of the notice at the seam",
        ),
    ],
)
def test_a_flaw_is_named(delivered: str, ahead: str, attempt: str, flaw: str) -> None:
    assert flaw_of(Seam(delivered, ahead, attempt)) == flaw


def test_what_is_dropped_is_not_judged() -> None:
    assert flaw_of(Seam(TOLD, " and not", TOLD[-20:] + " and not", dropped=20)) is None


ANCHOR = TOLD[-40:]


@pytest.mark.parametrize(
    ("attempt", "dropped", "joint", "echo"),
    [
        (ANCHOR + " and", 40, Joint.ECHO, Echo.EXACT),
        (f'"{ANCHOR}" and', 42, Joint.ECHO, Echo.NORMALISED),
        (ANCHOR.replace(" ", "\n") + " and", 40, Joint.ECHO, Echo.NORMALISED),
        (" " + ANCHOR + " and", 41, Joint.ECHO, Echo.NORMALISED),
        (f"Sure:\n{ANCHOR} and", 46, Joint.ECHO, Echo.NORMALISED),
        (TOLD[-60:] + " and", 60, Joint.ECHO, Echo.MORE),
        (TOLD[-20:] + " and", 20, Joint.OVERLAP, Echo.LESS),
        (TOLD + " and", 70, Joint.RESTART, Echo.RESTART),
        (" and", 0, Joint.PLAIN, Echo.NONE),
        (" and", 0, None, Echo.NONE),
    ],
)
def test_an_echo_has_a_kind(attempt: str, dropped: int, joint: Joint | None, echo: Echo) -> None:
    assert echo_of(Seam(TOLD, " and not", attempt, dropped), ANCHOR, joint) is echo


def test_an_anchor_may_end_with_a_space_that_the_echo_lacks() -> None:
    seam = Seam(TOLD + " ", "and", ANCHOR + " and", 41)

    assert echo_of(seam, ANCHOR + " ", Joint.ECHO) is Echo.EXACT


def test_without_an_anchor_there_is_no_echo() -> None:
    assert echo_of(Seam(TOLD, " and", ANCHOR, 40), None, Joint.ECHO) is Echo.NONE
