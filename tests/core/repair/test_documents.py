"""Documents are judged and passed on in slices; what the slices are is the document's affair."""

from collections.abc import Iterator

import pytest

from gemproxy.core.answer.rewrite import Rewriter
from gemproxy.core.answer.transcript import Transcript
from gemproxy.core.answer.usage import Tally
from gemproxy.core.repair.attempt import Attempt
from gemproxy.core.repair.documents import Documents
from gemproxy.core.repair.engine import Actions, IllegalInput
from gemproxy.core.repair.events import Finish, Frames, Received
from gemproxy.core.repair.holdback import HoldBack
from gemproxy.core.repair.policy import Policy
from gemproxy.core.seam.document import Document
from gemproxy.core.seam.seam import Cut, Diverged, Joint, Seam
from gemproxy.core.seam.tail import Tail
from gemproxy.core.wire.frame import Frame
from tests.gemini import chunk, received

BEGUN = '{"name": "a fox of the deep green forest", "age": '
CALL = received(chunk(parts=[{"functionCall": {"name": "look"}}]))


def document() -> Document:
    return Document(BEGUN, Seam(BEGUN, None, Tail.of(BEGUN)), None)


def attempt(*pending: Received) -> Attempt:
    holdback = HoldBack(Transcript(), Policy(), Rewriter(Tally()))
    return Attempt(b"{}", holdback, pending=list(pending))


def test_there_is_nothing_to_go_on_with_at_first() -> None:
    unit = Documents()

    assert not unit.judging
    with pytest.raises(IllegalInput):
        unit.turn()


def test_a_document_is_judged_until_there_is_a_decision() -> None:
    unit, joiner = Documents(), document()
    joiner.feed("7}")
    found = []

    def then(decision: object) -> Actions:
        assert not unit.judging, "what follows may be judged itself"
        found.append(decision)
        return (Finish(),)

    actions = unit.judge(joiner, then, whole=True)
    while unit.judging:
        assert actions == ()
        actions = unit.turn()

    assert actions == (Finish(),)
    assert isinstance(found[0], Cut)


@pytest.mark.parametrize(
    ("count", "slices"), [(0, [0]), (39, [39]), (40, [40, 0]), (100, [40] * 2)]
)
def test_frames_are_passed_on_some_at_a_time(count: int, slices: list[int]) -> None:
    unit, made = Documents(), list[int]()

    def frames() -> Iterator[list[Frame]]:
        for number in range(count):
            made.append(number)
            yield [Frame(b"", b"{}")]

    actions = unit.pass_on(frames(), lambda: (Finish(),))
    seen = [sum(a.count for a in actions if isinstance(a, Frames))]
    while unit.judging:
        assert len(made) == sum(seen), "no frame is made before its turn"
        actions = unit.turn()
        seen.append(sum(a.count for a in actions if isinstance(a, Frames)))

    assert seen[: len(slices)] == slices
    assert sum(seen) == count
    assert actions[-1] == Finish()


def test_what_brings_a_document_forward_waits_for_the_next_attempt() -> None:
    unit, one = Documents(), attempt(received(chunk("7, ")), received(chunk('"eyes": 2')))

    assert unit.keep(one, Cut(0, Joint.PLAIN), 5)
    assert unit.ahead.text == '7, "eyes": 2'
    assert unit.ahead.tokens == 5
    assert one.pending == []


@pytest.mark.parametrize(
    ("pending", "decision"),
    [((received(chunk("7")),), Diverged()), ((received(chunk("7")), CALL), Cut(0, Joint.PLAIN))],
)
def test_what_is_no_part_of_it_and_what_has_a_call_does_not(
    pending: tuple[Received, ...], decision: Cut | Diverged
) -> None:
    unit = Documents()

    assert not unit.keep(attempt(*pending), decision, 5)
    assert unit.ahead.text == ""


def test_a_model_may_tell_another_document_once() -> None:
    unit, other, same = Documents(), document(), document()
    other.anew = True

    assert not unit.strays(other)
    assert not unit.strays(same)
    assert not unit.strays(other)
    assert unit.strays(other)
