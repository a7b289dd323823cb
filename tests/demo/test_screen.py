"""What the demo shows."""

import io

from gemproxy.demo.screen import Screen
from gemproxy.demo.stage import Repair
from gemproxy.demo.verdict import judge
from tests.gemini import chunk, sse

REPAIR = Repair("rst@event:24", "drop", "text", 321)


def screen(*, colour: bool = False) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(out, colour), out


def test_text_is_shown_as_soon_as_its_frame_is_whole() -> None:
    shown, out = screen()
    data = sse(chunk("first ")) + sse(chunk("second"))

    for at in range(0, len(data), 10):
        shown.text(data[at : at + 10])

    assert out.getvalue() == "first second"


def test_a_repair_is_numbered_and_says_what_broke_and_what_was_done() -> None:
    shown, out = screen()

    shown.repair(REPAIR)
    shown.repair(REPAIR)

    assert "[2: the connection was reset (rst@event:24) -> resumed" in out.getvalue()


def test_colours_are_for_terminals() -> None:
    plain, without = screen()
    coloured, with_colour = screen(colour=True)

    plain.repair(REPAIR)
    coloured.repair(REPAIR)

    assert "\x1b[" not in without.getvalue()
    assert "\x1b[" in with_colour.getvalue()


def test_the_verdict_names_what_is_wrong() -> None:
    shown, out = screen()

    shown.verdict(judge(sse(chunk("abc", finish="STOP")), "abd", 1))

    assert "BROKEN" in out.getvalue()
    assert "differ from character 2 on" in out.getvalue()


def test_the_snippets_name_the_running_proxy() -> None:
    shown, out = screen()

    shown.snippets("http://127.0.0.1:1234", "gemini-demo")

    assert out.getvalue().count("http://127.0.0.1:1234") == 2
