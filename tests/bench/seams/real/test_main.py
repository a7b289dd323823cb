"""The whole run, with a model that always does as it is asked."""

import sys
from pathlib import Path

from bench.seams.real.__main__ import run, shown, speaking
from bench.seams.real.conversations import load

ECHO = """
import json, sys
for line in sys.stdin:
    prompt = json.loads(line)["prompt"]
    anchor = prompt.partition("Start with: ")[2].partition("<|im_end|>")[0]
    print(json.dumps({"text": anchor + " and so on.", "ended": True}), flush=True)
"""


class Obedient:
    """Repeats what the wording "short" shows, and goes on."""

    async def speak(self, prompt: str, *, least: int, most: int, begins: str) -> str:
        """Go on."""
        anchor = prompt.rpartition("Start with: ")[2].partition("<|im_end|>")[0]
        return f"{anchor} and so on."


async def test_a_model_that_echoes_reads_on_behind_every_cut_before_a_space() -> None:
    cases = [case for case in load() if case.place == "before a space"][:3]

    outcomes = await run(cases, "short", Obedient())

    assert [outcome.verdict for outcome in outcomes] == ["reads on"] * 3
    assert [list(outcome.joints) for outcome in outcomes] == [["echo"]] * 3
    assert shown(outcomes[0])["after"] == " and so on."


async def test_a_child_process_is_asked_over_its_standard_input(tmp_path: Path) -> None:
    program = tmp_path / "speaker.py"
    program.write_text(ECHO)

    async with speaking(Path(sys.executable), "none", program) as speaker:
        said = await speaker.speak("Start with: A<|im_end|>", least=1, most=2, begins="")

    assert said == "A and so on."
