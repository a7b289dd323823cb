"""The parts of a trial: a case, the bench on which it runs, and its outcome."""

import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from gemproxy.probe.attempts import Resumed, break_off
from gemproxy.probe.cutting import Broken, Cut, Place
from gemproxy.probe.gemini import Gemini
from gemproxy.probe.judging import Seam
from gemproxy.probe.report import Figures
from gemproxy.probe.said import Part

Json = dict[str, Any]


@attrs.define(eq=False)
class Bench:
    """One model under test, and results of earlier cases for later ones.

    ``offers_token``: a continuationToken was seen. ``turn`` holds the parts of a model turn with
    function calls, as a client would have them.
    """

    gemini: Gemini
    model: str
    seed: int
    offers_token: bool = False
    turn: tuple[Part, ...] = ()

    async def break_answer(
        self, body: Json, place: Place, least: tuple[int, int], ahead: int = 24
    ) -> Broken:
        """Break the answer to ``body`` at a ``place`` after a number of characters.

        The number is random within ``least``, and equal for all models. Raises CannotTell.
        """
        request = json.dumps(body).encode()
        drawn = random.Random(f"{self.seed}:{request!r}").randint(*least)  # noqa: S311 - a seed
        return await break_off(self.gemini, self.model, request, Cut(place, drawn, ahead))


@attrs.frozen
class Outcome:
    """The result of a trial: ``problem`` is None if the assumption holds, as in ``success``."""

    problem: str | None
    success: str
    figures: Figures
    seam: Seam | None = None


Trial = Callable[[Bench], Awaitable[Outcome]]


@attrs.frozen
class Case:
    """One assumption and its trial.

    ``requests`` is the largest number of requests of the trial; ``needs`` names cases that must run
    before it. ``relied_on`` is False if gemproxy handles both outcomes and the case is only
    informative. The trial raises CannotTell or TimeoutError if it has no outcome, and Rejection if
    the API refuses the form under test.
    """

    name: str
    about: str
    requests: int
    trial: Trial = attrs.field(repr=False)
    relied_on: bool = True
    needs: tuple[str, ...] = ()


def seam_of(broken: Broken, resumed: Resumed) -> Seam:
    """Return both sides of the seam as the client would see it."""
    return Seam(broken.text, broken.ahead, resumed.said.text, resumed.dropped)


def figures_of(broken: Broken, resumed: Resumed) -> Figures:
    """Return the common figures of resumptions; tokens are those of both attempts."""
    first, then = broken.said.billed, resumed.said.billed
    return {
        "delivered_characters": len(broken.text),
        "dropped_characters": resumed.dropped,
        "new_characters": len(resumed.after),
        "joint": resumed.joint and resumed.joint.value,
        "finish_reason": resumed.said.finish_reason,
        "prompt_tokens": first.prompt + then.prompt,
        "output_tokens": first.output + then.output,
        "thought_tokens": first.thoughts + then.thoughts,
    }
