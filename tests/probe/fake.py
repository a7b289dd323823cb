"""A fake Gemini that takes each case of the probe for what it is, by words of its prompt."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping

import attrs

from gemproxy.chaos.answers import Answer, Call
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Conversation, Script, Stage
from gemproxy.chaos.server import ChaosServer

KEY = "AIza-canary-7f3d9c51"
MODEL = "gemini-9.1-flash"

STORY = BUILT_IN["story"].text
_STEPS = "".join(f"    # step {n}\n    total = total + {n}\n" for n in range(40))
_LETTERS = "".join(
    f"第{n}封信送到了{village}村，收信的人站在门口等他。"
    for n, village in enumerate("松竹梅兰菊荷桃李杏柳槐榆杨枫")
)
_CODE = f"Here it is:\n\n```python\ndef seconds(text: str) -> int:\n    total = 0\n{_STEPS}```\n"
_RIVERS = json.dumps(
    [
        {"name": name, "continent": "Somewhere", "length_km": 100 * n, "remark": "It flows on."}
        for n, name in enumerate(("Amazon", "Danube", "Mekong", "Murray", "Niger", "Volga"))
    ]
)
_FORECAST = (
    "I will look up the weather for the next three days in the north. It will be cold there, "
    "with snow on the first day and clear skies on the second one. "
)
CALL = Call("get_weather", {"city": "Tromsø", "days": 3}, "call-1", "c2lnbmVk")

ANSWERS: Mapping[str, Answer] = {
    "Python function": Answer(_CODE, chunk=(10, 10)),
    "邮差": Answer(_LETTERS, chunk=(5, 5)),
    "chess": Answer(STORY, thoughts="First, a park. " * 5, chunk=(10, 10)),
    "get_weather": Answer(_FORECAST, calls=(CALL,), chunk=(4, 4)),
    "rivers": Answer(_RIVERS, chunk=(10, 10)),
    "last tram": Answer(STORY, chunk=(10, 10), checkpoint=5),
    "sky": Answer(STORY),
    "": Answer(STORY, chunk=(10, 10)),
}
"""What the fake says, by words of the prompt; the last is for every other one."""

_FRAMES = {"邮差": 75, "chess": 75, "get_weather": 25, "last tram": 60}


def script_for(words: str, behaviour: Behaviour, answer: Answer | None = None) -> Script:
    """Return the script of a prompt.

    Its first attempt falls silent after the place of the cut: so it is the probe that ends
    it, and the server knows that the answer was never told.
    """
    cut = Fault(Kind.STALL, event(_FRAMES.get(words, 45)))
    faults = () if words == "sky" else (cut,)
    return Script(answer or ANSWERS[words], faults, behaviour)


@attrs.frozen
class ByPrompt:
    """A stage on which the prompt, and not the model, decides about the script."""

    scripts: Mapping[str, Script]
    _stage: Stage

    def has_script(self, model: str) -> bool:
        return model in self.scripts

    def conversation(self, model: str, opening: str) -> Conversation:
        words = next(words for words in self._stage.scripts if words in opening)
        return self._stage.conversation(words, f"{model}: {opening}")

    def connections_to_refuse_first(self) -> int:
        return 0


@contextlib.asynccontextmanager
async def fake_gemini(
    behaviour: Behaviour = Behaviour.ECHO,
    *,
    models: tuple[str, ...] = (MODEL,),
    scripts: Mapping[str, Script] | None = None,
) -> AsyncIterator[ChaosServer]:
    """Run a fake Gemini; ``scripts`` replaces some, by words of their prompts."""
    usual = {words: script_for(words, behaviour) for words in ANSWERS}
    listed = dict.fromkeys(models, usual["sky"])
    server = ChaosServer(listed)
    by_words = {**(scripts or {}), **usual, **(scripts or {})}  # their own words come first
    server.stage = ByPrompt(listed, Stage(by_words))  # type: ignore[assignment]
    async with server:
        yield server


def generations(server: ChaosServer) -> int:
    """Return how many answers were asked for."""
    return sum(request.method == "POST" for request in server.requests)
