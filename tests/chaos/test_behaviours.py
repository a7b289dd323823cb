"""What each behaviour says at the seam."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.behaviours import (
    DIFFERENT_STORY,
    PREAMBLE,
    SCARRING,
    Behaviour,
    Seam,
    resumed_text,
)

FULL = "The gears fell silent, and Ada began to turn the lamp by hand."
HELD = "The gears fell silent, and"
ANCHOR = "silent, and"


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (Behaviour.ECHO, "silent, and Ada began to turn the lamp by hand."),
        (Behaviour.ECHO_MORE, "fell silent, and Ada began to turn the lamp by hand."),
        (Behaviour.QUOTED_ECHO, '"silent, and" Ada began to turn the lamp by hand.'),
        (Behaviour.ECHO_LOSE_SPACE, "silent, and Ada began to turn the lamp by hand."),
        (Behaviour.ECHO_DOUBLE_SPACE, " silent, and Ada began to turn the lamp by hand."),
        (Behaviour.ECHO_PARAGRAPH_BREAK, "\n\nsilent, and Ada began to turn the lamp by hand."),
        (Behaviour.ECHO_REOPEN_FENCE, "silent, and Ada began to turn the lamp by hand."),
        (Behaviour.ECHO_PREAMBLE, PREAMBLE + "silent, and Ada began to turn the lamp by hand."),
        (Behaviour.THINK_FIRST, "silent, and Ada began to turn the lamp by hand."),
        (Behaviour.REFUSE_MODEL_TURN, "silent, and Ada began to turn the lamp by hand."),
        (Behaviour.REFUSE_USER_TURN, " Ada began to turn the lamp by hand."),
        (Behaviour.PLAIN, " Ada began to turn the lamp by hand."),
        (Behaviour.REPEAT, ", and Ada began to turn the lamp by hand."),
        (Behaviour.LOSE_SPACE, "Ada began to turn the lamp by hand."),
        (Behaviour.DOUBLE_SPACE, "  Ada began to turn the lamp by hand."),
        (Behaviour.PARAGRAPH_BREAK, "\n\n Ada began to turn the lamp by hand."),
        (Behaviour.REOPEN_FENCE, " Ada began to turn the lamp by hand."),
        (Behaviour.PREAMBLE, PREAMBLE + " Ada began to turn the lamp by hand."),
        (Behaviour.RESTART, FULL),
        (Behaviour.NOTHING, ""),
    ],
)
def test_a_behaviour_says_what_its_name_says(behaviour: Behaviour, said: str) -> None:
    assert resumed_text(behaviour, Seam(FULL, HELD, ANCHOR, amount=5)) == said


def test_a_different_restart_agrees_at_first_and_then_does_not() -> None:
    said = resumed_text(Behaviour.RESTART_DIFFERENT, Seam(FULL, HELD))
    agreed, _, other = said.partition(DIFFERENT_STORY)
    assert agreed
    assert HELD.startswith(agreed)
    assert other not in FULL


def test_another_document_has_the_same_shape_and_other_values() -> None:
    full = '{"name": "fox", "legs": [4, 2.5], "tame": false, "owner": null}'

    said = resumed_text(Behaviour.ANOTHER_DOCUMENT, Seam(full, full[:20]))

    assert said == '{"name": "xof", "legs": [5, 3.5], "tame": false, "owner": null}'
    assert DIFFERENT_STORY in resumed_text(Behaviour.ANOTHER_DOCUMENT, Seam(FULL, HELD))


def test_the_lost_space_of_an_echo_is_the_anchors_own() -> None:
    seam = Seam(FULL, HELD + " ", ANCHOR + " ")
    assert resumed_text(Behaviour.ECHO_LOSE_SPACE, seam) == ANCHOR + "Ada" + FULL[30:]


FENCED = "Look:\n\n```python\nx = 1\ny = 2\n```\nDone."


def test_a_fence_is_opened_again_inside_of_a_code_block_only() -> None:
    inside = Seam(FENCED, FENCED[: FENCED.index("y = 2")], "x = 1\n")
    outside = Seam(FENCED, FENCED[: FENCED.index("Done")])
    assert resumed_text(Behaviour.REOPEN_FENCE, inside) == "```python\n" + inside.rest
    assert resumed_text(Behaviour.ECHO_REOPEN_FENCE, inside) == "```python\nx = 1\n" + inside.rest
    assert resumed_text(Behaviour.REOPEN_FENCE, outside) == "Done."


@pytest.mark.parametrize(
    "behaviour", [Behaviour.ECHO, Behaviour.ECHO_MORE, Behaviour.QUOTED_ECHO, Behaviour.THINK_FIRST]
)
def test_without_an_anchor_the_model_just_goes_on(behaviour: Behaviour) -> None:
    assert resumed_text(behaviour, Seam(FULL, HELD)) == FULL[len(HELD) :]


@given(st.text(max_size=200), st.integers(0, 200), st.integers(0, 60))
def test_what_a_behaviour_adds_stands_before_the_rest(text: str, cut: int, length: int) -> None:
    held = text[:cut]
    seam = Seam(text, held, held[max(0, len(held) - length) :])
    exempt = {
        Behaviour.LOSE_SPACE,
        Behaviour.RESTART_DIFFERENT,
        Behaviour.ANOTHER_DOCUMENT,
        Behaviour.NOTHING,
    }
    for behaviour in set(Behaviour) - exempt:
        assert resumed_text(behaviour, seam).endswith(seam.rest)


@given(st.text(max_size=100), st.integers(0, 100))
def test_every_behaviour_has_something_to_say(text: str, cut: int) -> None:
    for behaviour in Behaviour:
        assert isinstance(resumed_text(behaviour, Seam(text, text[:cut])), str)


def test_obedient_behaviours_leave_no_scar() -> None:
    assert not any(behaviour.value.startswith("echo") for behaviour in SCARRING)
