"""A resumed JSON answer becomes one valid document, or nothing of it is used."""

import itertools
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gemproxy
from gemproxy.core.seam.document import LARGEST, Document, is_document
from gemproxy.core.seam.jsontext import Work
from gemproxy.core.seam.schema import agrees
from gemproxy.core.seam.seam import Cut, Diverged, Joint, Seam
from gemproxy.core.seam.splice import Decision, Joiner

CHECKOUT = Path(gemproxy.__file__).parents[1]

texts = st.text(min_size=1, max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@attrs.define
class Fixed:
    """A seam that gives a prepared answer, at the n-th text or at the end."""

    decision: Decision
    at: int | None = None
    fed: list[str] = attrs.field(factory=list)

    def feed(self, text: str) -> Decision | None:
        self.fed.append(text)
        return self.decision if len(self.fed) == self.at else None

    def close(self) -> Decision:
        return self.decision


def pieces(text: str, data: st.DataObject) -> list[str]:
    """Cut ``text`` at drawn places."""
    places = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=5)))
    bounds = [0, *(place for place in places if place < len(text)), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(bounds)]


def play(joiner: Joiner, texts: Sequence[str]) -> Decision:
    """Feed until there is a decision, else close."""
    for text in texts:
        decision = joiner.feed(text)
        if decision is not None:
            return decision
    return joiner.close()


# -- JSON --------------------------------------------------------------------------------------


@given(json_values)
def test_any_json_is_a_document_where_no_schema_is_given(value: object) -> None:
    assert is_document(json.dumps(value), None)
    assert is_document(f" {json.dumps(value, indent=1, ensure_ascii=False)}\n", None)


@given(json_values.filter(lambda value: isinstance(value, dict | list)), st.data())
def test_a_document_that_was_cut_is_none(value: object, data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(0, len(text) - 1))

    assert not is_document(text[:cut], None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Once upon a time",
        '{"a": 1} {"a": 1}',
        '{"a": 1}{"a": 1, "b": 2}',
        '{"a": 1, "a": 2}',
        '```json\n{"a": 1}\n```',
        '{"a": NaN}',
        "[" * 100_000,
    ],
)
def test_two_documents_or_none_are_not_one(text: str) -> None:
    assert not is_document(text, None)


# -- joining -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [Cut(4, Joint.ECHO), Cut(0, Joint.PLAIN)])
def test_a_document_is_held_to_its_end_whatever_the_seam_says(cut: Cut) -> None:
    document = Document('{"a": "On', Fixed(cut, at=1))

    assert document.feed(': "On') is None
    assert document.feed('ce"}') is None


def test_a_document_is_joined_where_the_seam_cuts() -> None:
    document = Document('{"a": "On', Fixed(Cut(5, Joint.ECHO), at=1))

    assert play(document, [': "On', 'ce"}']) == Cut(5, Joint.ECHO)


def test_the_cut_of_the_seam_is_taken_although_the_plain_text_would_parse_too() -> None:
    document = Document('{"a": "On', Fixed(Cut(2, Joint.OVERLAP)))

    assert play(document, ['Once"}']) == Cut(2, Joint.OVERLAP)


def test_a_seam_that_has_decided_is_not_asked_again() -> None:
    seam = Fixed(Cut(0, Joint.PLAIN), at=1)

    play(Document("[1", seam), [",", "2", "]"])

    assert seam.fed == [","]


@pytest.mark.parametrize("decision", [Cut(1, Joint.ECHO), Diverged()])
def test_a_seam_that_spoils_the_document_is_not_followed(decision: Decision) -> None:
    document = Document("[1, 2", Fixed(decision, at=1))

    assert play(document, [", 3]"]) == Cut(0, Joint.PLAIN)


def test_text_that_makes_no_document_is_dropped() -> None:
    document = Document('{"a": 1', Fixed(Cut(0, Joint.PLAIN)))

    assert play(document, ['{"b": 2, {}']) == Diverged()


def test_a_resumed_attempt_without_text_can_complete_a_document_that_was_complete() -> None:
    assert play(Document("[1, 2]", Fixed(Cut(0, Joint.PLAIN))), []) == Cut(0, Joint.PLAIN)
    assert play(Document("[1, 2", Fixed(Cut(0, Joint.PLAIN))), []) == Diverged()


@given(value=json_values, where=st.integers(0), again=st.integers(0, 20), data=st.data())
def test_what_comes_out_is_the_whole_document(
    value: object, where: int, again: int, data: st.DataObject
) -> None:
    text = json.dumps(value)
    at = where % (len(text) + 1)
    again = min(again, at)
    attempt = text[at - again :]
    document = Document(text[:at], Fixed(Cut(again, Joint.ECHO)))

    decision = play(document, pieces(attempt, data) if attempt else [])

    assert isinstance(decision, Cut)
    assert json.loads(text[:at] + attempt[decision.drop :]) == value


@given(delivered=st.text(), attempt=texts, drop=st.integers(0, 40), diverged=st.booleans())
def test_a_joined_document_is_always_valid(
    delivered: str, attempt: str, drop: int, diverged: bool
) -> None:
    answer: Decision = Diverged() if diverged else Cut(drop, Joint.ECHO)

    decision = play(Document(delivered, Fixed(answer)), [attempt])

    assert isinstance(decision, Diverged) or is_document(delivered + attempt[decision.drop :], None)


@pytest.mark.parametrize("length", [1, 5, 12, 40])
def test_a_document_that_repeats_its_end_is_joined_where_it_is_valid(length: int) -> None:
    whole = json.dumps({"rows": [{"id": n, "ok": True} for n in range(4)]})
    delivered, rest = whole[:42], whole[42:]
    joiner = Document(delivered, Seam(delivered, None))

    assert joiner.feed(delivered[-length:] + rest) is None
    decision = joiner.close()

    assert isinstance(decision, Cut)
    assert decision.drop == length


def joined(delivered: str, *attempt: str, anchor: str | None = None) -> str | None:
    """Return the document that comes out, None when nothing of the attempt is used."""
    decision = play(Document(delivered, Seam(delivered, anchor)), attempt)
    text = "".join(attempt)
    return delivered + text[decision.drop :] if isinstance(decision, Cut) else None


ROW = '{"id": 1, "ok": true}'


@pytest.mark.parametrize("again", [1, 5, 40])
def test_overlaps_among_like_values_prove_nothing(again: int) -> None:
    whole = f'{{"rows": [{", ".join([ROW] * 4)}]}}'
    delivered = whole[:58]

    assert joined(delivered, delivered[-again:] + whole[58:]) is None


def test_what_may_be_new_or_a_repetition_is_not_used() -> None:
    at = WHOLE.index("the field")
    delivered = WHOLE[:at]

    assert joined(delivered, WHOLE[at - len('the forest", "') :]) is None
    assert joined(delivered, WHOLE[at - len('", "') :]) is not None, "so little is chance"
    assert joined(delivered, WHOLE[at:]) == WHOLE


def test_an_asked_echo_among_like_values_is_believed() -> None:
    whole = f'{{"rows": [{", ".join([ROW] * 4)}]}}'
    delivered = whole[:58]

    assert joined(delivered, delivered + whole[58:], anchor=delivered) == whole


@pytest.mark.parametrize(
    ("delivered", "rest"),
    [
        ("[12", "34, 5]"),
        ("[-", "1.5e3]"),
        ("[1.", "5]"),
        ("1", "2"),
        ('["a\\', 'u00e9"]'),
        ('["\\u12', '34"]'),
        ('["\\ud83d', '\\ude00"]'),
        ('["\ud83d', '\ude00"]'),
        ("[tr", "ue]"),
        ('{"a"', ': "```json"}'),
        ('{"a": "{', '"}'),
        ("[1 ", ", 2]\n"),
        ("", "[1]"),
    ],
)
def test_a_cut_in_any_token_is_joined_to_the_character(delivered: str, rest: str) -> None:
    assert joined(delivered, rest) == delivered + rest


WHOLE = '{"name": "fox", "legs": 4, "homes": ["the forest", "the field"], "age": 3.5}'


@pytest.mark.parametrize("at", range(2, len(WHOLE)))
def test_a_document_told_again_is_joined_in_whatever_white_space_it_comes(at: int) -> None:
    for again in (
        WHOLE,
        json.dumps(json.loads(WHOLE), indent=2),
        json.dumps(json.loads(WHOLE), separators=(",", ":")),
    ):
        whole = joined(WHOLE[:at], again)

        assert whole is not None
        assert whole.startswith(WHOLE[:at])
        assert json.loads(whole) == json.loads(WHOLE)


@pytest.mark.parametrize("rest", ["", "\n", WHOLE, "Here is the document:", '{"other": 1}'])
def test_what_comes_behind_a_whole_document_is_no_part_of_it(rest: str) -> None:
    text = joined(WHOLE, *([rest] if rest else []))

    assert text is not None
    assert text.rstrip() == WHOLE


@pytest.mark.parametrize("at", [8, 9, 20, 40, 83, 84])
def test_a_document_in_a_fence_is_joined_in_its_fence(at: int) -> None:
    whole = f"```json\n{WHOLE}\n```\n"

    assert joined(whole[:at], whole[at:]) == whole
    assert joined(whole[:at], whole[at:-5]) == whole[:-5]
    assert joined(WHOLE[:40], f"{WHOLE[40:]}\n```") is None


def test_lines_of_json_are_no_document() -> None:
    assert joined('{"a": 1}\n{"a"', ": 2}") is None


@pytest.mark.parametrize(
    "attempt",
    [
        '{"homes": ["the forest", "the field"], "name": "fox", "legs": 4, "age": 3.5}',
        '{"name": "wolf", "legs": 4}',
        ' [{"name": "wolf"}] ',
    ],
)
def test_an_attempt_that_tells_another_whole_document_is_known_as_such(attempt: str) -> None:
    document = Document(WHOLE[:30], Seam(WHOLE[:30], None))

    assert play(document, [attempt]) == Diverged()
    assert document.anew


@pytest.mark.parametrize("attempt", ["4, ", "Sorry.", '"legs": 4}', '{"name": "wolf"'])
def test_an_attempt_that_tells_no_document_is_not_taken_for_another_one(attempt: str) -> None:
    document = Document(WHOLE[:30], Seam(WHOLE[:30], None))

    assert play(document, [attempt]) == Diverged()
    assert not document.anew


# -- an attempt that is cut itself -------------------------------------------------------------


def held(delivered: str, attempt: str, anchor: str | None = None) -> str | None:
    """Return what an attempt that is cut adds to the delivered text, None for nothing."""
    document = Document(delivered, Seam(delivered, anchor))
    assert document.feed(attempt) is None
    document.end(whole=False)
    decision = None
    while decision is None:
        decision = document.advance()
    return attempt[decision.drop :] if isinstance(decision, Cut) else None


def test_what_an_attempt_brings_before_it_is_cut_can_be_kept() -> None:
    assert held(WHOLE[:40], WHOLE[40:60]) == WHOLE[40:60]
    assert held(WHOLE[:40], WHOLE[20:60], anchor=WHOLE[20:40]) == WHOLE[40:60]
    assert held(WHOLE[:45], WHOLE[:60]) == WHOLE[45:60]
    assert held(WHOLE[:42], '{\n "name": "fox",\n "legs": 4,\n "homes": ["the fo') == "fo"


@pytest.mark.parametrize(
    "attempt",
    [
        "",
        WHOLE[20:35],  # half of the echo that it was asked for
        WHOLE[:30],  # begun again, and not come to the place
        '{\n "name": "fox"',
        '{"name": "wolf", "legs": 4',
        "Sorry, I cannot",
    ],
)
def test_nothing_is_kept_of_an_attempt_that_has_not_shown_where_it_joins(attempt: str) -> None:
    assert held(WHOLE[:40], attempt, anchor=WHOLE[20:40]) is None


@given(value=json_values.filter(lambda v: len(json.dumps(v)) > 1), data=st.data())
def test_a_document_that_is_cut_many_times_comes_out_whole(
    value: object, data: st.DataObject
) -> None:
    text = json.dumps(value)
    places = sorted(data.draw(st.sets(st.integers(1, len(text)), min_size=1, max_size=7)))
    told = text[: places[0]]
    for start, end in itertools.pairwise([*places, len(text)]):
        attempt = told[-20:] + text[len(told) : end]
        new = held(told, attempt, anchor=told[-20:]) if start < len(text) else ""
        told += new or ""
        assert text.startswith(told)


# -- bounded work ------------------------------------------------------------------------------


ROWS = json.dumps({"rows": [{"id": 1, "ok": True, "name": "row"}] * 1000})
NEEDS_TOTAL = {"type": "OBJECT", "required": ["total"]}


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the values that were checked against a schema, as they are."""
    checked: list[object] = []

    def counting(value: object, schema: dict[str, Any]) -> Work[bool]:
        checked.append(value)
        return agrees(value, schema)

    monkeypatch.setattr("gemproxy.core.seam.document.agrees", counting)
    return checked


def slices_for(document: Document, attempt: str) -> int:
    """Return how many slices it takes to decide, each of which is bounded."""
    document.feed(attempt)
    document.end(whole=True)
    slices = 1
    while document.advance() is None:
        slices += 1
    return slices


def test_a_large_document_of_like_values_is_checked_once(checks: list[object]) -> None:
    at = len(ROWS) // 2
    document = Document(ROWS[:at], Seam(ROWS[:at], None), NEEDS_TOTAL)

    slices = slices_for(document, ROWS[at:])

    assert len(checks) == 1
    assert 5 < slices < 50


def test_what_does_not_parse_is_never_checked(checks: list[object]) -> None:
    at = len(ROWS) // 2
    document = Document(ROWS[:at], Seam(ROWS[:at], None), NEEDS_TOTAL)

    slices = slices_for(document, ROWS[at - 23 : -2])

    assert not checks
    assert slices < 50, "only a few places to join at are tried"


def test_the_work_grows_as_the_document_does() -> None:
    def work(size: int) -> int:
        text = json.dumps([{"id": n, "text": "a\\n" * 100} for n in range(size)])
        return slices_for(Document(text[: -size // 2], Seam(text[:50], None)), text[-size // 2 :])

    assert work(800) < 3 * work(400)


def test_an_attempt_beyond_reading_is_joined_where_the_seam_says() -> None:
    delivered = '["' + "a " * 100
    document = Document(delivered, Fixed(Cut(3, Joint.ECHO)))
    again = Document(delivered, Seam(delivered, None))

    assert document.feed("b" * (2 * LARGEST)) is None
    assert document.feed("b") == Cut(3, Joint.ECHO)
    assert again.feed(delivered + "b" * 2 * LARGEST) == Cut(len(delivered), Joint.RESTART)


def test_a_proxy_that_repairs_no_json_does_not_load_the_validator() -> None:
    code = "import sys, gemproxy.core.repair.machine; sys.exit('jsonschema' in sys.modules)"

    ended = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False)

    assert ended.returncode == 0
