"""A request to the model, and when it has said enough."""

from collections.abc import Iterator
from typing import Any

import attrs

from bench.seams.real.speaker import speak

BEGINS = "The keeper had one rule: the lamp is never left alone."


@attrs.define
class Model:
    """Says the same, whatever it is asked."""

    text: str
    taken: int = 0

    def create_completion(self, prompt: str, **options: object) -> Iterator[dict[str, Any]]:
        """Yield the text letter by letter."""
        assert prompt == "Go on"
        assert options["temperature"] == 0.0
        for letter in self.text:
            self.taken += 1
            yield {"choices": [{"text": letter}]}


def asked(least: int, most: int) -> dict[str, object]:
    return {"prompt": "Go on", "least": least, "most": most, "begins": BEGINS}


def test_a_model_that_stops_has_ended_by_itself() -> None:
    assert speak(Model("Yes."), asked(10, 20)) == {"text": "Yes.", "ended": True}


def test_a_model_that_goes_on_is_stopped_soon() -> None:
    model = Model("Something else entirely, and at length.")

    assert speak(model, asked(10, 30)) == {"text": "Something ", "ended": False}
    assert model.taken == 10


def test_a_model_that_tells_the_answer_again_may_tell_all_of_it() -> None:
    found = speak(Model(f"<<<{BEGINS} And so on."), asked(20, 40))

    assert found == {"text": f"<<<{BEGINS}"[:40], "ended": False}
