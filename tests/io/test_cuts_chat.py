"""Cut at every byte: wherever Gemini breaks off, a client of OpenAI's dialect gets one answer.

The stream is read by a strict reader, which fails on a glued call, a gap, a second ending, or
anything behind ``[DONE]``.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import pytest

from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.behaviours import Behaviour
from tests.io.cutting import CALLING, CUTS, PARTS, TOLD, Cut, Native, Trial
from tests.openai.reader import Reader
from tests.running import StartProxy
from tests.wire import Answer, Ending

pytestmark = pytest.mark.production_loop

PROMPT = "Tell me a story."


@attrs.frozen
class Chat:
    """A client of OpenAI's dialect, which is to have ``told``."""

    told: Told = TOLD

    @property
    def native(self) -> Native:
        """The client whose bytes the cuts are counted in."""
        return Native(told=self.told)

    def request(self, model: str) -> tuple[str, bytes, Mapping[str, str]]:
        """Return a request for a stream with its usage."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": PROMPT}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return "/v1/chat/completions", json.dumps(body).encode(), {"Authorization": "Bearer key"}

    def flaws(self, answer: Answer) -> Iterator[str]:
        """Compare what a strict reader has of the stream."""
        if answer.ending is not Ending.COMPLETE:
            yield f"ended with {answer.ending}"
        try:
            seen = Reader.of(answer.body, usage=True).told
        except AssertionError as error:
            yield f"refused: {error} {answer.body[-300:]!r}"
            return
        if (seen.content or "") != self.told.text:
            yield f"text {seen.content!r}"
        if not self.told.thoughts.startswith(seen.reasoning):
            yield f"thoughts {seen.reasoning!r}"
        if [_plain(call) for call in seen.calls] != [
            (one.name, one.args) for one in self.told.calls
        ]:
            yield f"calls {seen.calls}"
        if seen.finish_reason != ("tool_calls" if self.told.calls else "stop"):
            yield f"finished with {seen.finish_reason}"


def _plain(call: Mapping[str, Any]) -> tuple[str, Any]:
    function = call["function"]
    return function["name"], json.loads(function["arguments"])


@pytest.fixture
def trial(proxy: StartProxy, record_property: Callable[[str, object], None]) -> Trial:
    return Trial(proxy, record_property)


@pytest.mark.parametrize("part", range(PARTS))
async def test_a_cut_at_any_byte_is_not_seen_by_a_chat(trial: Trial, part: int) -> None:
    def choose(size: int) -> list[Cut]:
        return [
            Cut(CUTS[at % 3], (Behaviour.ECHO, Behaviour.PLAIN)[at // 3 % 2], at)
            for at in range(part, size + 1, PARTS)
        ]

    assert await trial(Chat(), choose) == []


@pytest.mark.parametrize("part", range(PARTS))
async def test_a_cut_at_any_byte_glues_no_calls(trial: Trial, part: int) -> None:
    def choose(size: int) -> list[Cut]:
        return [
            Cut(CUTS[at % 3], Behaviour.ECHO, at, CALLING) for at in range(part, size + 1, PARTS)
        ]

    assert await trial(Chat(CALLING), choose, CALLING) == []
