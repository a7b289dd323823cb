"""The trials without tools: seams in text, thoughts, documents, native continuation, the wire.

If a model's answer does not fit the trial, the trial raises CannotTell with the reason; this never
counts as a failure.
"""

import json

from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.events import How
from gemproxy.core.repair.request import StreamRequest, look_up
from gemproxy.core.seam.document import is_document
from gemproxy.core.seam.marks import shown
from gemproxy.probe import prompts
from gemproxy.probe.attempts import Resumed, hear, resume, resume_plainly
from gemproxy.probe.bench import Bench, Outcome, Trial, figures_of, seam_of
from gemproxy.probe.cutting import Place
from gemproxy.probe.gemini import CannotTell, Rejection, printable
from gemproxy.probe.judging import Echo, Seam, echo_of, flaw_of
from gemproxy.probe.report import Figures
from gemproxy.probe.said import Said

_LEAST = (120, 320)
_OUTPUT_LIMIT = 2048
_MISSED = {
    Echo.NONE: "no echo of the anchor",
    Echo.LESS: "only an end of the anchor is repeated",
    Echo.RESTART: "the answer starts over instead of with the anchor",
}


def echo(prompt: str, place: Place, form: Form = Form.ECHO) -> Trial:
    """Return a trial that asks for the anchor, and expects it and a flawless seam."""

    async def trial(bench: Bench) -> Outcome:
        broken = await bench.break_answer(prompts.asking(prompt), place, _LEAST)
        resumed = await resume(bench.gemini, broken, form)
        seam = seam_of(broken, resumed)
        found = echo_of(seam, resumed.anchor, resumed.joint)
        figures: Figures = {
            "echo": found.value,
            "anchor_characters": len(resumed.anchor or ""),
            **figures_of(broken, resumed),
        }
        problem = _echo_problem(found, problem_of(resumed, seam))
        success = f"{found.value} echo, {resumed.dropped} characters dropped"
        return Outcome(problem, success, figures, seam)

    return trial


def _echo_problem(found: Echo, problem: str | None) -> str | None:
    missed = _MISSED.get(found)
    return f"{missed}; {problem or 'the text joins all the same'}" if missed else problem


def problem_of(resumed: Resumed, seam: Seam) -> str | None:
    """Return the flaw of a resumption from the client's view, or None."""
    if resumed.diverged is not None:
        return f"the core has no use for the attempt ({resumed.diverged.value})"
    return flaw_of(seam)


def continued(prompt: str, place: Place, form: Form | None) -> Trial:
    """Return a trial without an anchor; a ``form`` of None is the user turn without one.

    It judges the model and not the core: no text is dropped, and the delivered text is the one that
    the notice showed.
    """

    async def trial(bench: Bench) -> Outcome:
        broken = await bench.break_answer(prompts.asking(prompt), place, _LEAST)
        if form is None:
            resumed = await resume_plainly(bench.gemini, broken)
        else:
            resumed = await resume(bench.gemini, broken, form)
        had = shown(broken.text)
        seam = Seam(had, broken.text[len(had) :] + broken.ahead, resumed.said.text)
        figures = figures_of(broken, resumed)
        return Outcome(flaw_of(seam), "goes on at the exact place", figures, seam)

    return trial


async def thoughts(bench: Bench) -> Outcome:
    """Resume an answer with thoughts and a limit on output, which the core lowers."""
    config = {"thinkingConfig": {"includeThoughts": True}, "maxOutputTokens": _OUTPUT_LIMIT}
    body = prompts.asking_with(prompts.PROSE.format("a game of chess in a park"), config)
    broken = await bench.break_answer(body, Place.BEFORE_SPACE, (400, 600))
    resumed = await resume(bench.gemini, broken, Form.ECHO)
    seam, said = seam_of(broken, resumed), resumed.said
    figures: Figures = {
        "output_limit": _OUTPUT_LIMIT,
        "output_limit_resumed": look_up(StreamRequest(resumed.body).config, "maxOutputTokens"),
        "thought_characters": broken.said.thought_characters,
        "thought_characters_resumed": said.thought_characters,
        "thoughts_after_text": said.thoughts_after_text,
        **figures_of(broken, resumed),
    }
    problem = _limit_problem(resumed) or problem_of(resumed, seam)
    again = f"{said.thought_characters} characters of thoughts came again and are swallowed"
    success = again if said.thought_characters else "no thoughts came again"
    return Outcome(problem, success, figures, seam)


def _limit_problem(resumed: Resumed) -> str | None:
    starved = resumed.said.finish_reason == "MAX_TOKENS" and not resumed.after.strip()
    return "the lowered maxOutputTokens left no room for text" if starved else None


async def document(bench: Bench) -> Outcome:
    """Complete a JSON document that was cut inside a string."""
    schema = prompts.RIVER_SCHEMA
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    body = prompts.asking_with(prompts.RIVERS, config)
    broken = await bench.break_answer(body, Place.MID_WORD, (150, 400))
    if not broken.text.lstrip().startswith("["):
        raise CannotTell("the first answer is not the document that was asked for")
    resumed = await resume(bench.gemini, broken, Form.ECHO)
    valid = resumed.diverged is None and is_document(broken.text + resumed.after, schema)
    problem = None if valid else "delivered and resumed text make no valid document"
    success = "delivered and resumed text make one valid document"
    return Outcome(problem, success, figures_of(broken, resumed), seam_of(broken, resumed))


async def native(bench: Bench) -> Outcome:
    """Resume with Gemini's own token, if it gives one."""
    if not bench.offers_token:
        raise CannotTell("no candidate carries a continuationToken")
    body = prompts.asking(prompts.PROSE.format("the last tram of the night"))
    broken = await bench.break_answer(body, Place.BEFORE_SPACE, (300, 500))
    resumed = await resume(bench.gemini, broken, Form.ECHO, natively=True)
    differs = resumed.diverged is not None
    problem = "what is generated again since the checkpoint differs" if differs else None
    success = f"{resumed.dropped} characters were generated again, all identical"
    return Outcome(problem, success, figures_of(broken, resumed), seam_of(broken, resumed))


async def wire(bench: Bench) -> Outcome:
    """Read an answer to its end and check its frames."""
    try:
        heard = await hear(
            bench.gemini, bench.model, json.dumps(prompts.asking(prompts.SKY)).encode()
        )
    except Rejection as rejection:
        raise CannotTell(f"the request was refused: {rejection}") from rejection
    said = heard.said
    if said.error is not None or said.blocked:
        raise CannotTell("the answer is an error, or was blocked")
    bench.offers_token = said.token
    figures: Figures = {
        "model_version": printable(said.model_version or ""),
        "frames": len(said.frames),
        "frames_with_usage": said.with_usage,
        "line_ends": said.line_ends,
        "transfer": heard.transfer,
        "ended": heard.how.value,
        "finish_reason": said.finish_reason,
        "finish_has_content": said.finish_has_content,
        "frames_after_finish": said.frames_after_finish,
        "response_ids": len(said.response_ids),
        "continuation_token": said.token,
    }
    success = "one responseId, a finishReason, and a proper end of the body"
    return Outcome(_wire_problem(said, heard.how), success, figures)


def _wire_problem(said: Said, how: How) -> str | None:
    problems = {
        "the body does not end as HTTP wants it": how is not How.EOF,
        "there is no finishReason at the end": said.finish_reason is None,
        "a frame is no JSON": said.garbled > 0,
        "the responseId changes": len(said.response_ids) > 1,
    }
    return "; ".join(words for words, so in problems.items() if so) or None
